import { count, milliseconds, ratio } from '../http/format.js';
import { renderTable } from '../http/table.js';
import { figureSpread } from './samples.js';

/** @typedef {import('./samples.js').Sample} Sample */
/** @typedef {import('./sweep.js').Combination} Combination */

const LEGEND = 'Medians over the rounds.';

/**
 * Formats a row for each combination, and the best one for each number of connections.
 * @param {Combination[]} combinations
 * @param {number[]} connections
 * @param {Sample[]} samples
 */
export function formatSweep(combinations, connections, samples) {
  const heads = ['shards', 'batch', 'permits', ...connections.flatMap((c) => [`c=${c}: requests/s`, 'p99 ms'])];
  const rows = combinations.map(({ shards, batch, permits, id }) => [
    ...[shards, batch, permits].map(count),
    ...connections.flatMap((c) => [
      count(median(samples, id, c, 'perSecond')),
      milliseconds(median(samples, id, c, 'p99Us')),
    ]),
  ]);
  const table = renderTable(
    heads,
    rows,
    heads.map(() => /** @type {const} */ ('right')),
  );
  return [LEGEND, table, connections.map((c) => formatBest(combinations, c, samples)).join('\n')].join('\n\n');
}

/**
 * @param {Combination[]} combinations
 * @param {number} connections
 * @param {Sample[]} samples
 */
function formatBest(combinations, connections, samples) {
  const ranked = combinations
    .map(({ id }) => ({ id, perSecond: median(samples, id, connections, 'perSecond') }))
    .sort((a, b) => b.perSecond - a.perSecond);
  const [best, worst] = [ranked[0], ranked[ranked.length - 1]];
  const times = ratio(best.perSecond / worst.perSecond);
  return `c=${connections}: best with ${best.id}, ${times} × the worst (${worst.id})`;
}

/**
 * @param {Sample[]} samples
 * @param {string} variant
 * @param {number} connections
 * @param {string} figure
 */
function median(samples, variant, connections, figure) {
  return figureSpread(samples, { variant, phase: `c=${connections}` }, figure)?.median ?? 0;
}
