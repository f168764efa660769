import { LOOPSHARD } from './peers.js';
import { spread } from './statistics.js';

/** @typedef {import('./rounds.js').Measurement} Measurement */
/** @typedef {{ peer: string, connections: number, exchange?: string }} Load server, number of connections, and exchange */

/**
 * Returns a figure of a load over the rounds.
 * @param {Measurement[]} measurements
 * @param {Load} load
 * @param {'requestsPerSecond' | 'p50Us' | 'p99Us' | 'cpuUs'} figure
 */
export function figureSpread(measurements, load, figure) {
  return spread(ofLoad(measurements, load).flatMap((measurement) => measurement[figure] ?? []));
}

/**
 * Returns the CPU time per request over the rounds, by the roles of the server's threads.
 * @param {Measurement[]} measurements
 * @param {Load} load
 * @returns {[string, import('./statistics.js').Spread][]}
 */
export function cpuByRoleSpread(measurements, load) {
  const loads = ofLoad(measurements, load);
  const roles = new Set(loads.flatMap(({ cpuUsByRole = {} }) => Object.keys(cpuUsByRole)));
  return [...roles].flatMap((role) => {
    const us = spread(loads.flatMap(({ cpuUsByRole }) => cpuUsByRole?.[role] ?? []));
    return us === undefined ? [] : [[role, us]];
  });
}

/**
 * Compares two loads round by round, so that disturbances of a complete round cancel out, and returns the median.
 * @param {Measurement[]} measurements
 * @param {Load} load
 * @param {Load} other
 * @param {(a: Measurement, b: Measurement) => number} compare
 */
export function compareLoads(measurements, load, other, compare) {
  const others = ofLoad(measurements, other);
  const pairs = ofLoad(measurements, load).flatMap((measurement) => {
    const partner = others.find(({ round }) => round === measurement.round);
    return partner ? [compare(measurement, partner)] : [];
  });
  return spread(pairs);
}

/**
 * Returns the ratio of LoopShard's requests/s to those of another server.
 * @param {Measurement[]} measurements
 * @param {string} peer
 * @param {number} connections
 */
export function loopShardRatio(measurements, peer, connections) {
  return compareLoads(measurements, { peer: LOOPSHARD, connections }, { peer, connections }, rateRatio);
}

/**
 * Returns the ratio of LoopShard's CPU time per request to that of another server.
 * @param {Measurement[]} measurements
 * @param {string} peer
 * @param {number} connections
 */
export function loopShardCpuRatio(measurements, peer, connections) {
  const measured = measurements.filter(({ cpuUs }) => cpuUs !== undefined);
  return compareLoads(measured, { peer: LOOPSHARD, connections }, { peer, connections }, cpuRatio);
}

/**
 * @param {Measurement} a
 * @param {Measurement} b
 */
export function rateRatio(a, b) {
  return a.requestsPerSecond / b.requestsPerSecond;
}

/**
 * @param {Measurement} a
 * @param {Measurement} b
 */
function cpuRatio(a, b) {
  return /** @type {number} */ (a.cpuUs) / /** @type {number} */ (b.cpuUs);
}

/**
 * @param {Measurement[]} measurements
 * @param {Load} load
 */
function ofLoad(measurements, load) {
  return measurements.filter(
    ({ peer, connections, exchange }) =>
      peer === load.peer && connections === load.connections && exchange === load.exchange,
  );
}
