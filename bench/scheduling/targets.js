import { milliseconds, ratio, withRange } from '../http/format.js';
import { verdict } from '../http/targets.js';

/** @typedef {import('../http/targets.js').Target} Target */
/** @typedef {import('../http/statistics.js').Spread} Spread */

/**
 * @param {string} what
 * @param {number} least
 * @param {Spread | undefined} figure a quotient
 * @returns {Target}
 */
export function atLeast(what, least, figure) {
  const reach = `≥ ${ratio(least)} ×`;
  return { what, reach, figure: withRange(figure, ratio, ' ×'), verdict: verdict(figure, (value) => value >= least) };
}

/**
 * @param {string} what
 * @param {number} most
 * @param {Spread | undefined} figure a quotient
 * @returns {Target}
 */
export function atMost(what, most, figure) {
  const reach = `≤ ${ratio(most)} ×`;
  return { what, reach, figure: withRange(figure, ratio, ' ×'), verdict: verdict(figure, (value) => value <= most) };
}

/**
 * @param {string} what
 * @param {number} mostUs
 * @param {Spread | undefined} figure in microseconds
 * @returns {Target}
 */
export function withinUs(what, mostUs, figure) {
  const reach = `≤ ${milliseconds(mostUs)} ms`;
  const shown = withRange(figure, milliseconds, ' ms');
  return { what, reach, figure: shown, verdict: verdict(figure, (value) => value <= mostUs) };
}
