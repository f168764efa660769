import { count, milliseconds } from '../../http/format.js';
import { kind, TENANT_FIELD } from '../requests.js';
import { compareLoads } from '../samples.js';
import { atMost } from '../targets.js';
import { CLUSTER, CORES, FASTIFY, loopshard, PISCINA } from '../variants.js';

const WORKS = { short: 0.2, long: 20 };
const LONG_SHARE = 0.05;
/** Share of the cores' capacity if they did nothing else. */
const UTILIZATION = 0.5;
const CONNECTIONS = 200;

const MEAN_MS = (1 - LONG_SHARE) * WORKS.short + LONG_SHARE * WORKS.long;
const PER_SECOND = Math.round((UTILIZATION * CORES * 1000) / MEAN_MS);

/** @type {{ id: string, title: string, dispatch: import('loopshard').Dispatch }[]} */
const POLICIES = [
  { id: 'least-loaded', title: 'least-loaded', dispatch: 'least-loaded' },
  { id: 'round-robin', title: 'round-robin', dispatch: 'round-robin' },
  { id: 'route-hash', title: 'route-hash', dispatch: 'route-hash' },
  { id: 'key', title: 'by key', dispatch: { key: { header: TENANT_FIELD } } },
];

const shards = CORES;
const JUDGED = 'least-loaded-steal';

const LOOPSHARDS = [
  loopshard('defaults', 'LoopShard, defaults', { shards }),
  ...POLICIES.flatMap(({ id, title, dispatch }) => [
    loopshard(`${id}-steal`, `LoopShard, ${title}, stealing`, { shards, scheduling: { dispatch, steal: true } }),
    loopshard(id, `LoopShard, ${title}`, { shards, scheduling: { dispatch, steal: false } }),
  ]),
  loopshard(
    'priority',
    'LoopShard, short requests first',
    { shards },
    { routeOptions: { short: { priority: 'high' } } },
  ),
  loopshard(
    'groups',
    'LoopShard, group for long requests',
    { groups: { default: 1, long: Math.max(1, CORES - 1) } },
    { routeOptions: { long: { group: 'long' } } },
  ),
];

/** @type {import('../report.js').Column[]} */
const COLUMNS = [
  { head: 'requests/s', figure: 'perSecond', format: 'count' },
  { head: 'short p50 ms', figure: 'shortP50Us', format: 'ms' },
  { head: 'short p99 ms', figure: 'shortP99Us', format: 'ms' },
  { head: 'vs. cluster', figure: 'shortP99Us', format: 'share', against: { variant: CLUSTER.peer.id } },
  { head: 'long p50 ms', figure: 'longP50Us', format: 'ms' },
  { head: 'long p99 ms', figure: 'longP99Us', format: 'ms' },
  { head: 'failed', figure: 'failed', format: 'count' },
];

const load = (/** @type {string} */ variant) => ({ variant, phase: '' });

/**
 * Most requests are short, and some take a hundred times as long.
 * @returns {import('../scenario.js').Scenario}
 */
export function mixed() {
  return {
    name: 'mixed',
    title: `${100 * (1 - LONG_SHARE)} % of the requests compute for ${WORKS.short} ms, the others for ${WORKS.long} ms`,
    works: WORKS,
    variants: [...LOOPSHARDS, FASTIFY, CLUSTER, PISCINA],
    phases: [''],
    rounds: 3,
    seconds: 8,
    load: {
      title: `open loop, ${PER_SECOND} requests/s over ${CONNECTIONS} connections: ${100 * UTILIZATION} % of the cores`,
      run,
    },
    columns: COLUMNS,
    judge: (samples) => {
      const against = (/** @type {string} */ id) =>
        compareLoads(samples, 'shortP99Us', load(id), load(CLUSTER.peer.id));
      return [
        atMost(`short p99, least-loaded with stealing, vs. ${CLUSTER.peer.title}`, 0.5, against(JUDGED)),
        atMost(`short p99, group for long requests, vs. ${CLUSTER.peer.title}`, 0.5, against('groups')),
      ];
    },
    progress: ({ perSecond, shortP99Us, longP99Us }) =>
      `${count(perSecond)} requests/s   p99 short ${milliseconds(shortP99Us)} ms, long ${milliseconds(longP99Us)} ms`,
  };
}

/** @type {import('../scenario.js').Scenario['load']['run']} */
async function run(server, _phase, { generator, seconds, seed }) {
  const port = Number(new URL(server.url).port);
  const kinds = [kind('short', { weight: 1 - LONG_SHARE }), kind('long', { weight: LONG_SHARE })];
  const streams = [{ perSecond: PER_SECOND, connections: CONNECTIONS, kinds }];
  const result = await generator.run({ port, seconds, graceSeconds: 5, seed, streams });
  const { short, long } = result.kinds;
  return {
    perSecond: short.okPerSecond + long.okPerSecond,
    shortP50Us: short.accepted.p50Us,
    shortP99Us: short.accepted.p99Us,
    longP50Us: long.accepted.p50Us,
    longP99Us: long.accepted.p99Us,
    failed: short.due + long.due - (short.statuses[200] ?? 0) - (long.statuses[200] ?? 0),
    generatorCores: result.generatorCores,
  };
}
