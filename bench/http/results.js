import { LOOPSHARD } from './peers.js';
import { spread } from './statistics.js';

/** @typedef {import('./rounds.js').Measurement} Measurement */
/** @typedef {{ peer: string, connections: number, exchange?: string }} Load server, number of connections, and exchange */

/**
 * Returns a figure of a load for each round.
 * @param {Measurement[]} measurements
 * @param {Load} load
 * @param {'requestsPerSecond' | 'p50Us' | 'p99Us'} figure
 */
export function figureSpread(measurements, load, figure) {
  return spread(ofLoad(measurements, load).map((measurement) => measurement[figure]));
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
 * @param {Measurement} a
 * @param {Measurement} b
 */
export function rateRatio(a, b) {
  return a.requestsPerSecond / b.requestsPerSecond;
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
