import { ratio, signed, withRange } from './format.js';
import { LOOPSHARD } from './peers.js';
import { compareLoads, loopShardCpuRatio, loopShardRatio, rateRatio } from './results.js';

/** @typedef {import('./rounds.js').Measurement} Measurement */
/** @typedef {import('./statistics.js').Spread} Spread */

/**
 * @typedef {object} Target
 * @property {string} what
 * @property {string} reach
 * @property {string} figure median over the rounds, lowest to highest
 * @property {'reached' | 'MISSED' | 'not measured'} verdict
 */

const ADDED_LATENCY_US = 12;
const MANY_CONNECTIONS_RATIO = 0.95;

/** By workload. @type {Record<string, (measurements: Measurement[]) => Target[]>} */
export const TARGETS = { message: judgeMessage, connections: judgeConnections, tls: judgeTls };

/** @param {Measurement[]} measurements */
function judgeMessage(measurements) {
  const against = (/** @type {string} */ peer) => loopShardRatio(measurements, peer, 50);
  return [
    atLeast('c=50: requests/s vs. Fastify', 1.8, against('fastify')),
    atLeast('c=50: requests/s vs. Fastify cluster(2)', 1.35, against('fastify-cluster')),
    atLeast('c=50: requests/s vs. bare net', 0.85, against('net')),
    atLeast('c=50: requests/s vs. bare onread', 0.75, against('onread')),
    atMost('c=50: CPU per request vs. bare onread', 1.54, loopShardCpuRatio(measurements, 'onread', 50)),
    atLeast('c=50: requests/s vs. Bun.serve', 1, against('bun')),
    manyConnections(measurements),
    addedLatency(measurements),
  ];
}

/** @param {Measurement[]} measurements */
function judgeConnections(measurements) {
  return [
    atLeast('c=50: connections/s vs. node:http', 1.2, loopShardRatio(measurements, 'node-http', 50)),
    atMost('c=50: CPU per connection vs. node:http', 0.8, loopShardCpuRatio(measurements, 'node-http', 50)),
  ];
}

/** @param {Measurement[]} measurements */
function judgeTls(measurements) {
  return [atLeast('c=50: requests/s vs. node:https', 1.3, loopShardRatio(measurements, 'node-https', 50))];
}

/**
 * @param {string} what
 * @param {number} most
 * @param {Spread | undefined} figure
 * @returns {Target}
 */
function atMost(what, most, figure) {
  return {
    what,
    reach: `≤ ${ratio(most)} ×`,
    figure: withRange(figure, ratio, ' ×'),
    verdict: verdict(figure, (f) => f <= most),
  };
}

/**
 * @param {string} what
 * @param {number} least
 * @param {Spread | undefined} figure
 * @param {number} [accepted] what counts as reached
 * @returns {Target}
 */
function atLeast(what, least, figure, accepted = least) {
  return {
    what,
    reach: `≥ ${ratio(least)} ×`,
    figure: withRange(figure, ratio, ' ×'),
    verdict: verdict(figure, (f) => f >= accepted),
  };
}

/**
 * Many connections cost any server something: the kernel's work, and caches.
 * @param {Measurement[]} measurements
 * @returns {Target}
 */
function manyConnections(measurements) {
  const ratioOf = (/** @type {string} */ peer) =>
    compareLoads(measurements, { peer, connections: 500 }, { peer, connections: 50 }, rateRatio);
  const own = ratioOf('onread');
  const least = Math.min(MANY_CONNECTIONS_RATIO, own?.median ?? MANY_CONNECTIONS_RATIO);
  const target = atLeast('requests/s at c=500 vs. c=50', MANY_CONNECTIONS_RATIO, ratioOf(LOOPSHARD), least);
  return own === undefined ? target : { ...target, reach: `${target.reach} or bare onread's ${ratio(own.median)} ×` };
}

/**
 * @param {Measurement[]} measurements
 * @returns {Target}
 */
function addedLatency(measurements) {
  const load = (/** @type {string} */ peer) => ({ peer, connections: 1 });
  const added = compareLoads(measurements, load(LOOPSHARD), load('node-http'), (a, b) => a.p50Us - b.p50Us);
  return {
    what: 'c=1: p50 minus that of node:http',
    reach: `≤ ${signed(ADDED_LATENCY_US)} µs`,
    figure: withRange(added, signed, ' µs'),
    verdict: verdict(added, (us) => us <= ADDED_LATENCY_US),
  };
}

/**
 * @param {Spread | undefined} figure
 * @param {(median: number) => boolean} isReached
 * @returns {Target['verdict']}
 */
export function verdict(figure, isReached) {
  if (!figure) return 'not measured';
  return isReached(figure.median) ? 'reached' : 'MISSED';
}
