import { spread } from '../http/statistics.js';

/**
 * The figures of one measured load.
 * @typedef {object} Sample
 * @property {number} round from 1 on
 * @property {string} variant id
 * @property {string} phase
 * @property {Figures} figures
 */

/** @typedef {Record<string, number>} Figures by name; NaN if a load did not produce one */

/** @typedef {{ variant: string, phase: string }} Load */

/**
 * One figure of a load over the rounds.
 * @param {Sample[]} samples
 * @param {Load} load
 * @param {string} figure
 */
export function figureSpread(samples, load, figure) {
  return spread(
    ofLoad(samples, load)
      .map(({ figures }) => figures[figure])
      .filter(Number.isFinite),
  );
}

/**
 * Compares a figure of two loads round by round, then takes the median: the slowness of a whole round cancels out.
 * @param {Sample[]} samples
 * @param {string} figure
 * @param {Load} load
 * @param {Load} other
 * @param {(a: number, b: number) => number} [compare] by default the quotient
 */
export function compareLoads(samples, figure, load, other, compare = (a, b) => a / b) {
  const others = ofLoad(samples, other);
  const pairs = ofLoad(samples, load).flatMap(({ round, figures }) => {
    const partner = others.find((sample) => sample.round === round);
    return partner ? [compare(figures[figure], partner.figures[figure])] : [];
  });
  return spread(pairs.filter(Number.isFinite));
}

/**
 * @param {Sample[]} samples
 * @param {Load} load
 */
function ofLoad(samples, { variant, phase }) {
  return samples.filter((sample) => sample.variant === variant && sample.phase === phase);
}
