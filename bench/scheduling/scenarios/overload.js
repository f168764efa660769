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

/** A closed loop with enough connections to keep every core busy, and too few for any server to reject requests. */
const PEAK = 'peak';
const PEAK_CONNECTIONS = 2 * CORES;
const PEAK_SECONDS = 10;

const NORMAL = '0.8 × capacity';
const OVERLOADS = ['3 × capacity', '10 × capacity'];

const GOODPUT_SHARE = 0.9;
const REFUSED_WITHIN_US = 50_000;
const ACCEPTED_P99_RATIO = 3;
/** The size of all slots in LoopShard's shared memory, plus the same for connections and their requests. */
const MEMORY_GROWTH_BYTES = 128 * 2 ** 20;

const LIMITS = { scheduling: { shed: { targetMs: 20, intervalMs: 200 } } };

const VARIANTS = [
  loopshard('loopshard', 'LoopShard, shed', { shards: CORES, ...LIMITS }),
  loopshard('defaults', 'LoopShard, defaults', { shards: CORES }),
  CLUSTER,
  CLUSTER_UNDER_PRESSURE,
];

/**
 * More requests than any server can handle.
 * @returns {import('../scenario.js').Scenario}
 */
export function overload() {
  /** Resident memory of each server before the loads, in bytes. @type {Map<string, number>} */
  const rssAtStart = new Map();
  let capacity = 0;
  return {
    name: 'overload',
    title: 'more requests than any server can handle',
    works: { work: WORK_MS },
    variants: VARIANTS,
    phases: [PEAK, NORMAL, ...OVERLOADS],
    rounds: 2,
    seconds: 30,
    load: {
      title: `peak: closed loop over ${PEAK_CONNECTIONS} connections, at most ${PEAK_SECONDS} s; others: open loop over
            ${CONNECTIONS} connections, the same for all servers`,
      run: async (server, phase, bench) => {
        const result = phase === PEAK ? await runPeak(server, bench) : await runOpen(server, phase, bench, capacity);
        const { maxRss } = await memoryOf(server);
        return { ...figures(result), maxRss, memoryGrowth: maxRss - (rssAtStart.get(server.peer.id) ?? 0) };
      },
    },
    prepare: async (servers, bench) => {
      // The capacity is LoopShard's, unless --only excludes it.
      const measured = servers.find(({ peer }) => peer.id === 'loopshard') ?? servers[0];
      await runPeak(measured, { ...bench, seconds: 1 });
      capacity = (await runPeak(measured, bench)).kinds.work.okPerSecond;
      for (const server of servers) rssAtStart.set(server.peer.id, (await memoryOf(server)).rss);
      const memory = servers.map(({ peer }) => `${peer.title} ${mebibytes(rssAtStart.get(peer.id) ?? 0)}`);
      return `
capacity    ${count(capacity)} requests/s, of ${measured.peer.title}
RSS         at the start: ${memory.join(', ')}`;
    },
    columns: COLUMNS,
    judge,
    progress: ({ goodput, refused, acceptedP99Us }) =>
      `${count(goodput)} responses/s   ${count(refused)} rejected/s   p99 ${milliseconds(acceptedP99Us)} ms`,
  };
}

/** @type {import('../report.js').Column[]} */
const COLUMNS = [
  { head: 'responses/s', figure: 'goodput', format: 'count' },
  { head: 'vs. peak', figure: 'goodput', format: 'share', against: { phase: PEAK } },
  { head: 'p99 ms', figure: 'acceptedP99Us', format: 'ms' },
  { head: 'rejected/s', figure: 'refused', format: 'count' },
  { head: 'p99 ms', figure: 'refusalP99Us', format: 'ms' },
  { head: 'unanswered', figure: 'unanswered', format: 'count' },
  { head: 'max RSS MiB', figure: 'maxRss', format: 'MiB' },
  { head: 'load, cores', figure: 'generatorCores', format: 'share' },
];

/**
 * Measures the throughput of a server that always has work, but almost no queue.
 * @param {RunningServer} server
 * @param {Bench} bench
 */
function runPeak(server, bench) {
  const seconds = Math.min(PEAK_SECONDS, bench.seconds);
  return run(server, { ...bench, seconds }, { connections: PEAK_CONNECTIONS });
}

/**
 * @param {RunningServer} server
 * @param {string} phase which begins with the multiple
 * @param {Bench} bench
 * @param {number} capacity
 */
function runOpen(server, phase, bench, capacity) {
  return run(server, bench, { perSecond: Number.parseFloat(phase) * capacity, connections: CONNECTIONS });
}

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

/** @param {import('../generator/load.js').LoadResult} result */
function figures({ kinds, seconds, generatorCores }) {
  const { okPerSecond, refused, refusals, accepted, unanswered } = kinds.work;
  return {
    goodput: okPerSecond,
    acceptedP99Us: accepted.count > 0 ? accepted.p99Us : Number.NaN,
    refused: refused / seconds,
    refusalP99Us: refusals.count > 0 ? refusals.p99Us : Number.NaN,
    unanswered,
    generatorCores,
  };
}

/** @param {number} bytes */
function mebibytes(bytes) {
  return `${count(bytes / 2 ** 20)} MiB`;
}

/** @param {Sample[]} samples */
function judge(samples) {
  const load = (/** @type {string} */ phase) => ({ variant: 'loopshard', phase });
  const targets = OVERLOADS.flatMap((phase) => [
    atLeast(`${phase}: responses/s vs. peak`, GOODPUT_SHARE, compareLoads(samples, 'goodput', load(phase), load(PEAK))),
    withinUs(`${phase}: p99 of rejections`, REFUSED_WITHIN_US, figureSpread(samples, load(phase), 'refusalP99Us')),
    atMost(
      `${phase}: p99 of accepted requests vs. ${NORMAL}`,
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
 * @param {number} growth in bytes, negative infinity without a load
 * @returns {import('../../http/targets.js').Target}
 */
function memoryTarget(growth) {
  const isMeasured = Number.isFinite(growth);
  const outcome = growth <= MEMORY_GROWTH_BYTES ? 'reached' : 'MISSED';
  return {
    what: 'maximum RSS minus RSS at the start',
    reach: `≤ +${mebibytes(MEMORY_GROWTH_BYTES)}`,
    figure: isMeasured ? `+${mebibytes(growth)}` : '–',
    verdict: isMeasured ? outcome : 'not measured',
  };
}
