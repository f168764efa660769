import { writeFileSync } from 'node:fs';
import { checkServer } from '../http/check.js';
import { endChildrenOnExit } from '../http/children.js';
import { BenchError } from '../http/errors.js';
import { chooseGenerator, loadServer } from '../http/load.js';
import { beginStep, endStep, say } from '../http/progress.js';
import { busyCores, disturbance } from '../http/quietness.js';
import { toMeasurement } from '../http/rounds.js';
import { startServer } from '../http/server-process.js';
import { calibrate } from './calibration.js';
import { conditionsOf, formatConditions } from './conditions.js';
import { findLoss } from './conservation.js';
import { settingsEnvironment } from './servers/settings.js';
import { answer } from './servers/work.js';
import { readSweepOptions } from './sweep-options.js';
import { formatSweep } from './sweep-report.js';
import { CORES, loopshard } from './variants.js';

/** @typedef {import('./sweep-options.js').SweepOptions} SweepOptions */
/** @typedef {import('./samples.js').Sample} Sample */

/**
 * A server of the sweep.
 * @typedef {{ shards: number, batch: number, permits: number, id: string }} Combination
 */

/** The work of the servers, and their expected responses. @typedef {ReturnType<typeof makeWorkload>} Workload */

const WARM_UP_SECONDS = 1;

/** @param {SweepOptions} options */
async function run(options) {
  const generator = chooseGenerator();
  const workload = makeWorkload(options.work);
  const combinations = combine(options);
  const loads = combinations.length * options.connections.length * options.rounds;
  const busyBefore = await busyCores();
  const serverSeconds = WARM_UP_SECONDS + options.seconds * options.connections.length + 1;
  say(`${loads} loads, about ${combinations.length * options.rounds * serverSeconds} s.`);
  /** @type {Sample[]} */
  const samples = [];
  const servers = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const combination of round % 2 === 1 ? combinations : combinations.toReversed()) {
      const server = await startCombination(combination, workload);
      const step = (/** @type {number} */ ahead) => `${samples.length + ahead} of ${loads}, ${combination.id}`;
      samples.push(...(await measure(server, workload, generator, options, step)).map((load) => ({ round, ...load })));
      servers.push(server);
    }
  }
  const disturbed = disturbance(busyBefore, await busyCores());
  const load = {
    title: `${generator.title}, closed loop, 8 browser-like headers`,
    isBottleneck: generator.isBottleneck,
  };
  const scenario = { works: workload.works, load };
  const conditions = conditionsOf(scenario, servers.slice(0, 1), options, workload.iterations, busyBefore);
  print(`${formatConditions(conditions)}\n\n${formatSweep(combinations, options.connections, samples)}`);
  if (generator.isBottleneck)
    print(`\nautocannon takes more CPU time than LoopShard. Install wrk for meaningful figures.`);
  if (disturbed) print(`\n${disturbed}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ conditions, samples }, null, 2)}\n`);
}

/**
 * @param {SweepOptions} options
 * @returns {Combination[]}
 */
function combine({ shards, batch, permits }) {
  return shards.flatMap((s) =>
    batch.flatMap((b) =>
      permits.map((p) => ({ shards: s, batch: b, permits: p, id: `shards ${s}, batch ${b}, permits ${p}` })),
    ),
  );
}

/** @param {number} ms of native work */
function makeWorkload(ms) {
  /** @type {Record<string, number>} */
  const works = ms > 0 ? { work: ms } : {};
  const iterations = calibrate(works);
  if (ms > 0) return { works, iterations, path: 'work', body: JSON.stringify(answer('work', iterations.work)) };
  return { works, iterations, path: 'livez', body: '{"status":"ok"}' };
}

/**
 * @param {Combination} combination
 * @param {Workload} workload
 */
function startCombination({ id, shards, ...scheduling }, { iterations }) {
  const { peer } = loopshard(id, `LoopShard, ${id}`, { shards, scheduling });
  const env = settingsEnvironment({ iterations, processes: CORES });
  return startServer(peer, process.execPath, [], { env, messages: true });
}

/**
 * Loads a server with each number of connections, and then ends it.
 * @param {import('../http/server-process.js').RunningServer} server
 * @param {Workload} workload
 * @param {import('../http/load.js').Generator} generator
 * @param {SweepOptions} options
 * @param {(ahead: number) => string} step
 * @returns {Promise<Omit<Sample, 'round'>[]>}
 */
async function measure(server, { path, body }, generator, { connections, seconds }, step) {
  const target = { ...server, url: `${server.url}${path}`, peer: { ...server.peer, body } };
  const bytes = await checkServer(target);
  await loadServer(generator, target, bytes, connections[0], WARM_UP_SECONDS);
  const samples = [];
  for (const [i, count] of connections.entries()) {
    beginStep(`${step(i + 1)}, c=${count}`);
    const load = toMeasurement(0, server.peer.id, count, await loadServer(generator, target, bytes, count, seconds));
    endStep(load);
    const { requestsPerSecond: perSecond, p50Us, p99Us } = load;
    samples.push({ variant: server.peer.id, phase: `c=${count}`, figures: { perSecond, p50Us, p99Us } });
  }
  const loss = await findLoss(server);
  if (loss) throw new BenchError(`${server.peer.title} has leaked: ${loss}.`);
  await checkServer(target);
  await server.stop();
  return samples;
}

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

endChildrenOnExit();
try {
  await run(readSweepOptions(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`\n${error instanceof BenchError ? error.message : /** @type {Error} */ (error).stack}\n`);
  process.exit(1);
}
