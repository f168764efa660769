import { count, milliseconds, ratio, withRange } from './format.js';
import { LOOPSHARD } from './peers.js';
import { cpuByRoleSpread, figureSpread, loopShardRatio } from './results.js';
import { renderTable } from './table.js';

/** @typedef {import('./rounds.js').Measurement} Measurement */
/** @typedef {import('./peers.js').Peer} Peer */
/** @typedef {import('./statistics.js').Spread} Spread */
/** @typedef {{ head: string, cells: string[] }} Column */

const LEGEND = `Medians over the rounds (lowest–highest). CPU µs: CPU time of the server's processes per request.
Ratio: LoopShard's requests/s over the server's, compared round by round.`;
const ONE_CONNECTION = `These figures depend on how fast a core wakes up that sleeps between two requests (tens of µs on a virtual
machine), so they vary with everything else that runs on the cores.`;

/** Latency from which a column is shown in milliseconds. */
const MILLISECONDS_FROM_US = 5_000;

/**
 * A table for each number of connections.
 * @param {Measurement[]} measurements
 * @param {readonly Peer[]} peers
 * @param {number[]} connections
 */
export function formatResults(measurements, peers, connections) {
  const tables = connections.map((connectionCount) => {
    const measured = measurements.filter((measurement) => measurement.connections === connectionCount);
    const present = peers.filter(({ id }) => measured.some(({ peer }) => peer === id));
    const notes = [threadsNote(measured, connectionCount), connectionCount === 1 ? ONE_CONNECTION : ''];
    return [`c=${connectionCount}`, resultTable(measured, present, connectionCount), ...notes]
      .filter(Boolean)
      .join('\n');
  });
  return [LEGEND, ...tables].join('\n\n');
}

/**
 * @param {Measurement[]} measurements
 * @param {Peer[]} peers
 * @param {number} connections
 */
function resultTable(measurements, peers, connections) {
  const figures = (/** @type {Parameters<typeof figureSpread>[2]} */ name) =>
    peers.map(({ id }) => figureSpread(measurements, { peer: id, connections }, name));
  const times = peers.map(({ id }) => (id === LOOPSHARD ? undefined : loopShardRatio(measurements, id, connections)));
  const columns = [
    { head: 'server', cells: peers.map(({ title }) => title) },
    { head: 'requests/s', cells: figures('requestsPerSecond').map((figure) => withRange(figure, count)) },
    latencyColumn('p50', figures('p50Us')),
    latencyColumn('p99', figures('p99Us')),
    { head: 'CPU µs', cells: figures('cpuUs').map((figure) => (figure ? figure.median.toFixed(1) : '–')) },
    { head: 'ratio', cells: times.map((figure) => (figure ? `${ratio(figure.median)} ×` : '–')) },
  ];
  const rows = peers.map((_peer, row) => columns.map(({ cells }) => cells[row]));
  const heads = columns.map(({ head }) => head);
  return renderTable(heads, rows, ['left', 'right', 'right', 'right', 'right', 'right']);
}

/**
 * The CPU time of LoopShard's threads.
 * @param {Measurement[]} measurements
 * @param {number} connections
 */
function threadsNote(measurements, connections) {
  const roles = cpuByRoleSpread(measurements, { peer: LOOPSHARD, connections });
  if (roles.length < 2) return '';
  return `LoopShard's CPU µs by thread: ${roles.map(([role, { median }]) => `${role} ${median.toFixed(1)}`).join(', ')}`;
}

/**
 * @param {string} name
 * @param {(Spread | undefined)[]} figures in microseconds
 * @returns {Column}
 */
function latencyColumn(name, figures) {
  const isLong = figures.some((figure) => figure && figure.max >= MILLISECONDS_FROM_US);
  const format = isLong ? milliseconds : count;
  return { head: `${name} ${isLong ? 'ms' : 'µs'}`, cells: figures.map((figure) => withRange(figure, format)) };
}

/** @param {import('./targets.js').Target[]} targets */
export function formatTargets(targets) {
  const rows = targets.map(({ what, reach, figure, verdict }) => [what, reach, figure, verdict]);
  return renderTable(['LoopShard', 'target', 'median (lowest–highest)', ''], rows);
}
