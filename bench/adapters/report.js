import { count, ratio, withRange } from '../http/format.js';
import { spread } from '../http/statistics.js';
import { renderTable } from '../http/table.js';

/** @typedef {import('../http/rounds.js').Measurement} Measurement */
/** @typedef {import('./frameworks.js').Framework} Framework */

const HEAD = ['app', 'requests/s', 'p99 µs', 'ratio', 'target'];
const LEGEND = `Medians over the rounds (lowest–highest). Ratio: requests/s on a shard over those on the usual server, compared round by
round; both orders alternate.`;

/**
 * @param {Measurement[]} measurements
 * @param {readonly Framework[]} frameworks
 */
export function formatReport(measurements, frameworks) {
  const rows = frameworks.flatMap((framework) => {
    const { shard, usual } = framework;
    return [row(measurements, usual, '–', ''), row(measurements, shard, ...ratioCells(measurements, framework))];
  });
  return `${renderTable(HEAD, rows, ['left', 'right', 'right', 'right', 'right'])}\n${LEGEND}`;
}

/**
 * @param {Measurement[]} measurements
 * @param {import('../http/peers.js').Peer} peer
 * @param {string} times
 * @param {string} target
 */
function row(measurements, { id, title }, times, target) {
  const own = measurements.filter(({ peer }) => peer === id);
  const requests = spread(own.map(({ requestsPerSecond }) => requestsPerSecond));
  const p99 = spread(own.map(({ p99Us }) => p99Us));
  return [title, withRange(requests, count), withRange(p99, count), times, target];
}

/**
 * @param {Measurement[]} measurements
 * @param {Framework} framework
 * @returns {[times: string, target: string]}
 */
function ratioCells(measurements, { shard, usual, reach }) {
  const found = (/** @type {string} */ id) => measurements.filter(({ peer }) => peer === id);
  const others = found(usual.id);
  const ratios = found(shard.id).map(({ round, requestsPerSecond }) => {
    const other = /** @type {Measurement} */ (others.find((measurement) => measurement.round === round));
    return requestsPerSecond / other.requestsPerSecond;
  });
  const figure = /** @type {import('../http/statistics.js').Spread} */ (spread(ratios));
  const target = reach === undefined ? '' : `≥ ${reach} ×: ${figure.median >= reach ? 'reached' : 'missed'}`;
  return [`${withRange(figure, ratio)} ×`, target];
}
