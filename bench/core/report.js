import { ratio, withRange } from '../http/format.js';
import { spread } from '../http/statistics.js';
import { renderTable } from '../http/table.js';
import { atLeast, atMost } from '../scheduling/targets.js';
import { SLOTS } from './echo.js';

/** @typedef {import('./measure-trips.js').TripResult} TripResult */

const THREE_DIGITS = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });
const number = (/** @type {number} */ value) => THREE_DIGITS.format(value);
const BASE = 'post-message';

/** @param {import('./measure-operations.js').OperationResult[]} results */
export function describeOperations(results) {
  const rows = results.map(({ title, ns, p99 }) => [title, withRange(ns, number), withRange(p99, number)]);
  return renderTable(['operation', 'ns', 'p99 ns'], rows, ['left', 'right', 'right']);
}

/** @param {TripResult[]} results */
export function describeTrips(results) {
  const rows = results.map((result) => [
    result.title,
    withRange(spread(result.p50), number),
    withRange(spread(result.p99), number),
    withRange(compare(results, BASE, result.id, 'p50'), ratio),
    withRange(spread(result.each), number),
    withRange(compare(results, BASE, result.id, 'each'), ratio),
  ]);
  const head = ['round trip', 'one: p50 µs', 'p99 µs', '× as fast', `${SLOTS} in flight: µs each`, '× as fast'];
  return renderTable(head, rows, ['left', 'right', 'right', 'right', 'right', 'right']);
}

/**
 * Returns the ratio of the times of `slower` and `faster`, round by round.
 * @param {TripResult[]} results
 * @param {string} slower
 * @param {string} faster
 * @param {'p50' | 'each'} figure
 */
function compare(results, slower, faster, figure) {
  const of = (/** @type {string} */ id) => results.find((result) => result.id === id)?.[figure] ?? [];
  const [a, b] = [of(slower), of(faster)];
  return spread(b.map((value, round) => a[round] / value));
}

/** @param {TripResult[]} results */
export function judge(results) {
  return [
    atLeast(`${SLOTS} in flight: slots, waiting, vs. postMessage`, 20, compare(results, BASE, 'wait', 'each')),
    atLeast('one at a time: slots, checking before waiting, vs. postMessage', 5, compare(results, BASE, 'spin', 'p50')),
    atMost('one at a time: slots, waiting, vs. bare wait and notify', 1.3, compare(results, 'wait', 'bare', 'p50')),
  ];
}
