import { count, milliseconds, ratio, withRange } from '../http/format.js';
import { formatTargets } from '../http/report.js';
import { renderTable } from '../http/table.js';
import { compareLoads, figureSpread } from './samples.js';

/** @typedef {import('./samples.js').Sample} Sample */
/** @typedef {import('./samples.js').Load} Load */

const FORMATS = {
  count,
  ms: milliseconds,
  share: ratio,
  MiB: (/** @type {number} */ bytes) => count(bytes / 2 ** 20),
};

/**
 * @typedef {object} Column
 * @property {string} head
 * @property {string} figure
 * @property {keyof typeof FORMATS} format `ms` takes microseconds, `MiB` bytes
 * @property {Partial<Load> | ((load: Load) => Partial<Load>)} [against] another server or phase: the column shows the quotient
 * of the two figures, round by round
 */

const LEGEND = 'Medians over the rounds (lowest–highest).';

/**
 * Renders a table for each phase, then the targets.
 * @param {import('./scenario.js').Scenario} scenario
 * @param {Sample[]} samples
 * @param {import('../http/targets.js').Target[]} targets
 */
export function formatReport({ phases, variants, columns }, samples, targets) {
  const tables = phases.map((phase) => {
    const title = phase === '' ? '' : `${phase}\n`;
    const present = variants.filter(({ peer }) => samples.some(({ variant }) => variant === peer.id));
    const rows = present.map(({ peer }) => [
      peer.title,
      ...columns.map((column) => cell(samples, { variant: peer.id, phase }, column)),
    ]);
    const heads = ['server', ...columns.map(({ head }) => head)];
    return `${title}${renderTable(heads, rows, ['left', ...columns.map(() => /** @type {const} */ ('right'))])}`;
  });
  return [LEGEND, ...tables, formatTargets(targets)].join('\n\n');
}

/**
 * @param {Sample[]} samples
 * @param {Load} load
 * @param {Column} column
 */
function cell(samples, load, { figure, format, against }) {
  if (against === undefined) return withRange(figureSpread(samples, load, figure), FORMATS[format]);
  const other = { ...load, ...(typeof against === 'function' ? against(load) : against) };
  if (other.variant === load.variant && other.phase === load.phase) return '–';
  return withRange(compareLoads(samples, figure, load, other), FORMATS[format], ' ×');
}
