import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { checkServer } from '../check.js';
import { formatConditions, readConditions } from '../conditions.js';
import { chooseGenerator } from '../load.js';
import { say } from '../progress.js';
import { busyCores, disturbance } from '../quietness.js';
import { figureSpread } from '../results.js';
import { plannedSeconds, runRounds } from '../rounds.js';
import { startServer } from '../server-process.js';
import { drawBars, drawChart } from './chart.js';
import { SIZES_PEERS, writePosts } from './exchanges.js';
import { formatSizes, judgeExchanges } from './report.js';

/** @typedef {import('./exchanges.js').Exchange} Exchange */
/** @typedef {import('../rounds.js').Step} Step */
/** @typedef {import('../rounds.js').Measurement} Measurement */

/** Kinds of exchanges with more sizes than a line needs. */
const CHARTED = { text: 'text: requests/s by size', bytes: 'bytes: requests/s by size' };

/**
 * Measures requests and responses of every size, and prints and draws the result.
 * @param {import('../options.js').Options} options
 * @param {(text: string) => void} print
 */
export async function runSizes(options, print) {
  const { exchanges, connections, rounds, json, svg, node } = options;
  const [count] = connections;
  const generator = chooseGenerator();
  writePosts(exchanges);
  const peers = SIZES_PEERS.filter(({ id }) => exchanges.some((exchange) => exchange.peers.includes(id)));
  const servers = [];
  for (const peer of peers) servers.push(await startServer(peer, node));
  const conditions = readConditions(servers, generator, options, await busyCores());
  print(formatConditions(conditions));
  const plan = await checkExchanges(servers, exchanges, count);
  say(`The loads take about ${Math.ceil(plannedSeconds(plan, options) / 60)} min.\n`);
  const measurements = await runRounds(plan, generator, options);
  await checkExchanges(servers, exchanges, count);
  const disturbed = disturbance(conditions.busyCores, await busyCores());
  await Promise.all(servers.map((server) => server.stop()));
  print(`\n${formatSizes(exchanges, measurements, count)}`);
  const goals = judgeExchanges(exchanges, measurements, count);
  const missed = goals.filter(({ verdict }) => verdict === 'MISSED').length;
  print(`\n${goals.length - missed} of ${goals.length} goals are reached.`);
  const panels = makePanels(exchanges, measurements, count);
  for (const panel of panels) print(`\n${drawBars(panel)}`);
  if (panels.length > 0) {
    const { cpu, cores, date } = conditions;
    const { runtime } = servers[0];
    const notes = [
      `${cpu}, ${cores} cores; ${runtime}; ${generator.title}, c=${count}; ${date.slice(0, 10)}`,
      `Medians of ${rounds} × ${options.seconds} s (bars: lowest to highest); servers side by side, in alternating order, responses checked.`,
    ];
    mkdirSync(dirname(svg), { recursive: true });
    writeFileSync(svg, drawChart(panels, notes));
    print(`\nChart: ${svg}`);
  }
  if (disturbed) print(`\n${disturbed}`);
  if (json) writeFileSync(json, `${JSON.stringify({ conditions, measurements, goals }, null, 2)}\n`);
}

/**
 * Compares every response with the reference, byte by byte, and plans its load.
 * @param {import('../server-process.js').RunningServer[]} servers
 * @param {Exchange[]} exchanges
 * @param {number} connections
 * @returns {Promise<Step[]>}
 */
async function checkExchanges(servers, exchanges, connections) {
  const plan = [];
  for (const { id, path, expected, peers } of exchanges) {
    for (const server of servers.filter(({ peer }) => peers.includes(peer.id))) {
      const target = { ...server, url: `${server.url}${path}`, peer: { ...server.peer, ...expected } };
      const answerBytes = await checkServer(target);
      plan.push({ server: { ...target, answerBytes }, connections, exchange: id });
    }
  }
  say(`${servers.length} servers respond correctly to ${exchanges.length} requests.`);
  return plan;
}

/**
 * @param {Exchange[]} exchanges
 * @param {Measurement[]} measurements
 * @param {number} connections
 * @returns {import('./chart.js').Panel[]}
 */
function makePanels(exchanges, measurements, connections) {
  return Object.entries(CHARTED).flatMap(([kind, title]) => {
    const ofKind = exchanges.filter((exchange) => exchange.kind === kind);
    if (ofKind.length === 0) return [];
    const name = (/** @type {Exchange} */ exchange) => exchange.title.replace(`${kind}, `, '');
    const lines = SIZES_PEERS.map((peer) => ({
      peer: peer.id,
      title: peer.title,
      points: ofKind.flatMap((exchange) => {
        const load = { peer: peer.id, connections, exchange: exchange.id };
        const spread = figureSpread(measurements, load, 'requestsPerSecond');
        return spread ? [{ x: name(exchange), ...spread }] : [];
      }),
    }));
    return [{ title, sizes: ofKind.map(name), lines }];
  });
}
