import { setTimeout as sleep } from 'node:timers/promises';
import { checkServer } from '../http/check.js';
import { BenchError } from '../http/errors.js';
import { beginStep, say } from '../http/progress.js';
import { busyCores, disturbance } from '../http/quietness.js';
import { startServer } from '../http/server-process.js';
import { calibrate } from './calibration.js';
import { conditionsOf, formatConditions } from './conditions.js';
import { comeToRest, findLoss } from './conservation.js';
import { formatReport } from './report.js';
import { settingsEnvironment } from './servers/settings.js';
import { answer } from './servers/work.js';
import { CORES, namesOf } from './variants.js';

/** @typedef {import('../http/server-process.js').RunningServer} RunningServer */
/** @typedef {import('./samples.js').Sample} Sample */
/** @typedef {import('./samples.js').Figures} Figures */

/**
 * The expected responses of every server, by path.
 * @typedef {Record<string, Pick<import('../http/peers.js').Peer, 'body' | 'type'>>} Answers
 */

/**
 * The context of a load.
 * @typedef {object} Bench
 * @property {import('./generator-process.js').OpenLoopGenerator} generator
 * @property {Answers} answers of the checked paths
 * @property {Record<string, Record<string, number>>} answerBytes of each server's id and path, head included
 * @property {number} seconds
 * @property {number} seed the same for all servers of a round
 */

/**
 * A scenario: servers, loads, and the figures to report.
 * @typedef {object} Scenario
 * @property {string} name
 * @property {string} title
 * @property {Record<string, number>} works milliseconds of native work behind each route `/name`
 * @property {import('./variants.js').Variant[]} variants
 * @property {string[]} phases loads of each server in each round
 * @property {number} rounds unless --rounds says otherwise
 * @property {number} seconds unless --seconds says otherwise
 * @property {(seconds: number) => number} [warmUpSeconds]
 * @property {{ title: string, isBottleneck?: boolean, run: (server: RunningServer, phase: string, bench: Bench) =>
 * Promise<Figures> }} load
 * @property {() => Promise<{ settings: Partial<import('./servers/settings.js').Settings>, answers: Answers,
 * stop: () => Promise<void> }>} [before] starts what the servers depend on
 * @property {(servers: RunningServer[], bench: Bench) => Promise<string>} [prepare] measures what the loads depend on
 * @property {import('./report.js').Column[]} columns
 * @property {(samples: Sample[]) => import('../http/targets.js').Target[]} judge
 * @property {(figures: Figures) => string} progress describes a load in a few words
 */

/** @typedef {Pick<import('./options.js').Options, 'rounds' | 'seconds' | 'only' | 'node'>} RunOptions */

const PAUSE_MS = 200;
const SEED = 20_260;
const WARM_UP_SECONDS = 2;

/**
 * Runs a scenario and prints its report.
 * @param {Scenario} scenario
 * @param {import('./generator-process.js').OpenLoopGenerator} generator
 * @param {RunOptions} options
 * @param {(text: string) => void} print
 */
export async function runScenario(scenario, generator, options, print) {
  const { rounds = scenario.rounds, seconds = scenario.seconds, only, node } = options;
  const variants = scenario.variants.filter((variant) => !only || namesOf(variant).some((name) => only.includes(name)));
  if (variants.length === 0) throw new BenchError(`No server of the scenario ${scenario.name} matches --only.`);
  print(`${scenario.name}: ${scenario.title}\n`);
  const iterations = calibrate(scenario.works);
  const needs = await scenario.before?.();
  const settings = { iterations, processes: CORES, ...needs?.settings };
  const answers = { ...workAnswers(iterations), ...needs?.answers };
  const servers = await startServers(variants, settings, node);
  const busyBefore = await busyCores();
  const conditions = conditionsOf(scenario, servers, { rounds, seconds }, iterations, busyBefore);
  print(formatConditions(conditions));
  const answerBytes = await checkServers(servers, answers);
  const bench = { generator, answers, answerBytes, seconds, seed: SEED };
  if (scenario.prepare) print(await scenario.prepare(servers, bench));
  const { samples, losses, loads } = await runRounds(scenario, servers, variants, bench, rounds);
  await checkServers(servers, answers);
  const disturbed = disturbance(busyBefore, await busyCores());
  await Promise.all(servers.map((server) => server.stop()));
  await needs?.stop();
  const judged = scenario.load.isBottleneck ? [] : scenario.judge(samples);
  const targets = [...judged, ...conservationTarget(losses, loads)];
  print(`\n${formatReport(scenario, samples, targets)}`);
  if (losses.length > 0) print(`\nLeaked:\n${losses.join('\n')}`);
  if (disturbed) print(`\n${disturbed}`);
  return { scenario: scenario.name, conditions, samples, targets, losses };
}

/**
 * @param {Record<string, number>} iterations
 * @returns {Answers}
 */
function workAnswers(iterations) {
  return Object.fromEntries(
    Object.entries(iterations).map(([name, count]) => [name, { body: JSON.stringify(answer(name, count)) }]),
  );
}

/**
 * @param {import('./variants.js').Variant[]} variants
 * @param {import('./servers/settings.js').Settings} settings
 * @param {string} node the executable
 */
async function startServers(variants, settings, node) {
  const servers = [];
  for (const variant of variants) {
    const env = settingsEnvironment({ ...settings, ...variant.settings });
    servers.push(await startServer(variant.peer, node, [], { env, messages: true }));
  }
  return servers;
}

/**
 * @param {RunningServer[]} servers
 * @param {Answers} answers
 */
async function checkServers(servers, answers) {
  /** @type {Bench['answerBytes']} */
  const sizes = {};
  for (const server of servers) {
    const { peer } = server;
    sizes[peer.id] = {};
    for (const [path, expected] of Object.entries(answers)) {
      const size = await checkServer({ ...server, peer: { ...peer, ...expected }, url: `${server.url}${path}` });
      sizes[peer.id][path] = size;
    }
  }
  say(`${servers.length} servers respond correctly.`);
  return sizes;
}

/**
 * Runs a warm-up round, then the measured rounds, every other one in reverse order.
 * @param {Scenario} scenario
 * @param {RunningServer[]} servers
 * @param {import('./variants.js').Variant[]} variants
 * @param {Bench} bench
 * @param {number} rounds
 */
async function runRounds(scenario, servers, variants, bench, rounds) {
  const plan = scenario.phases.flatMap((phase) =>
    servers.map((server, i) => ({ server, phase, isLoopShard: variants[i].isLoopShard })),
  );
  const warmUpSeconds = scenario.warmUpSeconds?.(bench.seconds) ?? Math.min(WARM_UP_SECONDS, bench.seconds);
  say(`The loads take about ${Math.ceil(plan.length * (rounds * bench.seconds + warmUpSeconds))} s.\n`);
  /** @type {Sample[]} */
  const samples = [];
  /** @type {string[]} */
  const losses = [];
  let loads = 0;
  for (let round = 0; round <= rounds; round++) {
    const seconds = round === 0 ? warmUpSeconds : bench.seconds;
    const name = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`;
    for (const { server, phase, isLoopShard } of round % 2 === 0 ? plan : plan.toReversed()) {
      beginStep([name, phase, server.peer.title].filter(Boolean).join(', '));
      const figures = await scenario.load.run(server, phase, { ...bench, seconds, seed: bench.seed + round });
      say(scenario.progress(figures));
      if (round > 0) samples.push({ round, variant: server.peer.id, phase, figures });
      await comeToRest(server);
      const loss = isLoopShard ? await findLoss(server) : undefined;
      if (isLoopShard) loads++;
      if (loss) losses.push(`${server.peer.title}, ${name}: ${loss}`);
      await sleep(PAUSE_MS);
    }
  }
  return { samples, losses, loads };
}

/**
 * @param {string[]} losses
 * @param {number} loads of LoopShard
 * @returns {import('../http/targets.js').Target[]}
 */
function conservationTarget(losses, loads) {
  if (loads === 0) return [];
  return [
    {
      what: 'no permit, slot or request leaked after a load',
      reach: 'always',
      figure: `${loads - losses.length} of ${loads} loads`,
      verdict: losses.length === 0 ? 'reached' : 'MISSED',
    },
  ];
}
