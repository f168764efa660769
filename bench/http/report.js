import { count, ratio, withRange } from './format.js';
import { LOOPSHARD } from './peers.js';
import { figureSpread, loopShardRatio } from './results.js';
import { renderTable } from './table.js';

/** @typedef {import('./rounds.js').Measurement} Measurement */

const HEAD = ['server', 'requests/s', 'p50 µs', 'p99 µs', 'LoopShard/it'];

/**
 * A table for each number of connections.
 * @param {Measurement[]} measurements
 * @param {readonly import('./peers.js').Peer[]} peers
 * @param {number[]} connections
 */
export function formatResults(measurements, peers, connections) {
  const legend = 'Medians over the rounds (lowest–highest). LoopShard/it: requests/s, compared round by round.';
  const tables = connections.map((connectionCount) => {
    const measured = peers.filter(({ id, skips }) => hasRun(measurements, id) && !skips.includes(connectionCount));
    const rows = measured.map((peer) => resultRow(measurements, peer, connectionCount));
    return `c=${connectionCount}\n${renderTable(HEAD, rows, ['left', 'right', 'right', 'right', 'right'])}`;
  });
  return [legend, ...tables].join('\n\n');
}

/**
 * @param {Measurement[]} measurements
 * @param {import('./peers.js').Peer} peer
 * @param {number} connections
 */
function resultRow(measurements, { id, title }, connections) {
  const figure = (/** @type {Parameters<typeof figureSpread>[2]} */ name) =>
    withRange(figureSpread(measurements, { peer: id, connections }, name), count);
  const times = id === LOOPSHARD ? undefined : loopShardRatio(measurements, id, connections);
  return [title, figure('requestsPerSecond'), figure('p50Us'), figure('p99Us'), times ? ratio(times.median) : '–'];
}

/**
 * @param {Measurement[]} measurements
 * @param {string} peer
 */
function hasRun(measurements, peer) {
  return measurements.some((measurement) => measurement.peer === peer);
}

/** @param {import('./targets.js').Target[]} targets */
export function formatTargets(targets) {
  const rows = targets.map(({ what, reach, figure, verdict }) => [what, reach, figure, verdict]);
  return renderTable(['LoopShard', 'target', 'median (lowest–highest)', ''], rows);
}
