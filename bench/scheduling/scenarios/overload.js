import { count, milliseconds } from '../../http/format.js';
import { kind } from '../requests.js';
import { compareLoads, figureSpread } from '../samples.js';
import { ask } from '../servers/questions.js';
import { atLeast, atMost, withinUs } from '../targets.js';
import { CLUSTER, CLUSTER_UNDER_PRESSURE, CORES, loopshard } from '../variants.js';

/** @typedef {import('../../http/server-process.js').RunningServer} RunningServer */
/** @typedef {import('../scenario.js').Bench} Bench */
/** @typedef {import('../samples.js').Sample} Sample */

const WORK_MS = 5;
const CONNECTIONS = 1_000;
const GRACE_SECONDS = 2;
/** Enough for every core to have work, few enough for nobody to refuse any. */
const CAPACITY_CONNECTIONS = 4 * CORES;
const CAPACITY_SECONDS = 5;

const NORMAL = '0.8 × capacity';
const OVERLOADS = ['3 × capacity', '10 × capacity'];

const GOODPUT_SHARE = 0.9;
const REFUSED_WITHIN_US = 50_000;
const ACCEPTED_P99_RATIO = 3;
/** All slots of LoopShard's shared memory, and as much again for the connections and their requests. */
const MEMORY_GROWTH_BYTES = 128 * 2 ** 20;

const LIMITS = { maxQueue: 8 * CORES, shed: { targetMs: 20, intervalMs: 100, status: 503 } };

const VARIANTS = [
  loopshard('loopshard', 'LoopShard, maxQueue and shed', { shards: CORES, ...LIMITS }),
  loopshard('defaults', 'LoopShard, defaults', { shards: CORES }),
  CLUSTER,
  CLUSTER_UNDER_PRESSURE,
];

/**
 * More requests than anybody could answer.
 * @returns {import('../scenario.js').Scenario}
 */
export function overload() {
  /** Answers per second that each server can give; and the memory it had then. @type {Map<string, Peak>} */
  const peaks = new Map();
  let capacity = 0;
  return {
    name: 'overload',
    title: 'more requests than anybody could answer',
    works: { work: WORK_MS },
    variants: VARIANTS,
    phases: [NORMAL, ...OVERLOADS],
    rounds: 2,
    seconds: 30,
    load: {
      title: `open loop over ${CONNECTIONS} connections, the same for all servers`,
      run: async (server, phase, bench) => {
        const perSecond = Number.parseFloat(phase) * capacity;
        const result = await run(server, bench, { perSecond, connections: CONNECTIONS });
        return figures(result, await memoryOf(server), /** @type {Peak} */ (peaks.get(server.peer.id)));
      },
    },
    prepare: async (servers, bench) => {
      for (const server of servers) peaks.set(server.peer.id, await findPeak(server, bench));
      // Without LoopShard among them (--only), the first server's.
      capacity = (peaks.get('loopshard') ?? /** @type {Peak} */ (peaks.values().next().value)).perSecond;
      return formatPeaks(servers, peaks, capacity);
    },
    columns: COLUMNS,
    judge,
    progress: ({ goodput, refused, acceptedP99Us }) =>
      `${count(goodput)} answers/s   ${count(refused)} refused/s   p99 ${milliseconds(acceptedP99Us)} ms`,
  };
}

/** @type {import('../report.js').Column[]} */
const COLUMNS = [
  { head: 'answers/s', figure: 'goodput', format: 'count' },
  { head: 'of its peak', figure: 'share', format: 'share' },
  { head: 'p99 ms', figure: 'acceptedP99Us', format: 'ms' },
  { head: 'refused/s', figure: 'refused', format: 'count' },
  { head: 'refusal p99 ms', figure: 'refusalP99Us', format: 'ms' },
  { head: 'unanswered', figure: 'unanswered', format: 'count' },
  { head: 'RSS, max MiB', figure: 'maxRss', format: 'MiB' },
  { head: 'generator, cores', figure: 'generatorCores', format: 'share' },
];

/** @typedef {{ perSecond: number, rss: number }} Peak */

/**
 * @param {RunningServer} server
 * @param {Bench} bench
 * @param {{ perSecond?: number, connections: number }} stream
 */
function run(server, { generator, seconds, seed }, stream) {
  const port = Number(new URL(server.url).port);
  const streams = [{ ...stream, kinds: [kind('work')] }];
  return generator.run({ port, seconds, graceSeconds: GRACE_SECONDS, seed, streams });
}

/**
 * @param {RunningServer} server
 * @returns {Promise<{ rss: number, maxRss: number }>}
 */
function memoryOf(server) {
  return ask(server.child, 'memory');
}

/**
 * What a server answers when it always has work, but no queue.
 * @param {RunningServer} server
 * @param {Bench} bench
 * @returns {Promise<Peak>}
 */
async function findPeak(server, bench) {
  const connections = CAPACITY_CONNECTIONS;
  await run(server, { ...bench, seconds: 1 }, { connections });
  const { rss } = await memoryOf(server);
  const seconds = Math.min(CAPACITY_SECONDS, bench.seconds);
  const { kinds } = await run(server, { ...bench, seconds }, { connections });
  return { perSecond: kinds.work.okPerSecond, rss };
}

/**
 * @param {RunningServer[]} servers
 * @param {Map<string, Peak>} peaks
 * @param {number} capacity
 */
function formatPeaks(servers, peaks, capacity) {
  const lines = servers.map(({ peer }) => {
    const { perSecond, rss } = /** @type {Peak} */ (peaks.get(peer.id));
    return `            ${peer.title}: ${count(perSecond)} answers/s, RSS ${count(rss / 2 ** 20)} MiB`;
  });
  const how = `closed loop over ${CAPACITY_CONNECTIONS} connections`;
  return [`capacity    ${count(capacity)} requests/s; peaks, in a ${how}:`, ...lines].join('\n');
}

/**
 * @param {import('../generator/load.js').LoadResult} result
 * @param {{ maxRss: number }} memory
 * @param {Peak} peak
 */
function figures({ kinds, seconds, generatorCores }, { maxRss }, peak) {
  const { okPerSecond, refused, refusals, accepted, unanswered } = kinds.work;
  return {
    goodput: okPerSecond,
    share: okPerSecond / peak.perSecond,
    acceptedP99Us: accepted.count > 0 ? accepted.p99Us : Number.NaN,
    refused: refused / seconds,
    refusalP99Us: refusals.count > 0 ? refusals.p99Us : Number.NaN,
    unanswered,
    maxRss,
    memoryGrowth: maxRss - peak.rss,
    generatorCores,
  };
}

/** @param {Sample[]} samples */
function judge(samples) {
  const load = (/** @type {string} */ phase) => ({ variant: 'loopshard', phase });
  const targets = OVERLOADS.flatMap((phase) => [
    atLeast(`${phase}: answers/s against its peak`, GOODPUT_SHARE, figureSpread(samples, load(phase), 'share')),
    withinUs(`${phase}: refusals, p99`, REFUSED_WITHIN_US, figureSpread(samples, load(phase), 'refusalP99Us')),
    atMost(
      `${phase}: p99 of what is accepted, against ${NORMAL}`,
      ACCEPTED_P99_RATIO,
      compareLoads(samples, 'acceptedP99Us', load(phase), load(NORMAL)),
    ),
  ]);
  const growth = Math.max(...[NORMAL, ...OVERLOADS].map((phase) => growthOf(samples, load(phase))));
  return [...targets, memoryTarget(growth)];
}

/**
 * @param {Sample[]} samples
 * @param {import('../samples.js').Load} load
 */
function growthOf(samples, load) {
  return figureSpread(samples, load, 'memoryGrowth')?.max ?? Number.NEGATIVE_INFINITY;
}

/**
 * @param {number} growth in bytes, infinite of no load
 * @returns {import('../../http/targets.js').Target}
 */
function memoryTarget(growth) {
  const mebibytes = (/** @type {number} */ bytes) => `+${count(bytes / 2 ** 20)} MiB`;
  const isMeasured = Number.isFinite(growth);
  const outcome = growth <= MEMORY_GROWTH_BYTES ? 'reached' : 'MISSED';
  return {
    what: 'RSS at the most, against the start',
    reach: `≤ ${mebibytes(MEMORY_GROWTH_BYTES)}`,
    figure: isMeasured ? mebibytes(growth) : '–',
    verdict: isMeasured ? outcome : 'not measured',
  };
}
