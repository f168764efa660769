import { count, milliseconds, ratio } from '../format.js';
import { compareLoads, figureSpread } from '../results.js';
import { renderTable } from '../table.js';
import { verdict } from '../targets.js';
import { SIZES_PEERS } from './exchanges.js';

/** @typedef {import('../rounds.js').Measurement} Measurement */
/** @typedef {import('./exchanges.js').Exchange} Exchange */
/** @typedef {import('./exchanges.js').Goal} Goal */

/**
 * A goal and its result.
 * @typedef {Goal & { exchange: string, ratio: import('../statistics.js').Spread | undefined,
 * verdict: import('../targets.js').Target['verdict'] }} JudgedGoal
 */

const LEGEND = `Medians over the rounds. Ratios are computed round by round: LoopShard with one shard vs. Fastify, with two shards
vs. cluster(2). Each ratio is followed by its goal.`;

const TITLES = { requestsPerSecond: 'requests/s', p99Us: 'p99 in ms' };

/**
 * Checks every exchange against its goals. Goals without a number are omitted.
 * @param {Exchange[]} exchanges
 * @param {Measurement[]} measurements
 * @param {number} connections
 * @returns {JudgedGoal[]}
 */
export function judgeExchanges(exchanges, measurements, connections) {
  return exchanges.flatMap(({ id, goals }) =>
    goals
      .filter(({ reach }) => reach !== undefined)
      .map((goal) => {
        const times = goalRatio(goal, id, measurements, connections);
        return { ...goal, exchange: id, ratio: times, verdict: verdict(times, (value) => isReached(goal, value)) };
      }),
  );
}

/**
 * @param {Goal} goal
 * @param {string} exchange
 * @param {Measurement[]} measurements
 * @param {number} connections
 */
function goalRatio({ peer, against, figure }, exchange, measurements, connections) {
  const load = (/** @type {string} */ id) => ({ peer: id, connections, exchange });
  return compareLoads(measurements, load(peer), load(against), (a, b) => a[figure] / b[figure]);
}

/**
 * @param {Goal} goal
 * @param {number} value
 */
function isReached({ figure, reach = 0 }, value) {
  return figure === 'p99Us' ? value <= reach : value >= reach;
}

/**
 * Formats a table of requests/s, and one of p99 for exchanges with such goals.
 * @param {Exchange[]} exchanges
 * @param {Measurement[]} measurements
 * @param {number} connections
 */
export function formatSizes(exchanges, measurements, connections) {
  const figures = /** @type {const} */ (['requestsPerSecond', 'p99Us']);
  const tables = figures.flatMap((figure) => {
    const shown = exchanges.filter(({ goals }) => goals.some((goal) => goal.figure === figure));
    return shown.length > 0 ? [sizesTable(shown, measurements, connections, figure)] : [];
  });
  return [LEGEND, ...tables].join('\n\n');
}

/**
 * @param {Exchange[]} exchanges
 * @param {Measurement[]} measurements
 * @param {number} connections
 * @param {Goal['figure']} figure
 */
function sizesTable(exchanges, measurements, connections, figure) {
  const peers = SIZES_PEERS.filter(({ id }) => exchanges.some((exchange) => exchange.peers.includes(id)));
  const hasSingle = peers.some(({ id }) => id === SIZES_PEERS[0].id);
  const format = figure === 'p99Us' ? milliseconds : count;
  const rows = exchanges.map(({ id, title, goals }) => {
    const cells = peers.map((peer) => {
      const spread = figureSpread(measurements, { peer: peer.id, connections, exchange: id }, figure);
      return spread ? format(spread.median) : '–';
    });
    const ratios = SIZES_PEERS.filter(({ id: peer }) => peers.some((other) => other.id === peer)).flatMap((peer) => {
      const goal = goals.find((candidate) => candidate.peer === peer.id && candidate.figure === figure);
      return goal ? [formatGoal(goal, goalRatio(goal, id, measurements, connections))] : [];
    });
    // Exchanges without a ratio for one shard have only that for two shards.
    return [title, ...cells, ...(hasSingle && ratios.length === 1 ? ['', ...ratios] : ratios)];
  });
  const heads = peers.map(({ title }) => title.replace('LoopShard, ', ''));
  const ratioHeads = hasSingle ? ['1 shard', '2 shards'] : ['2 shards'];
  const head = [TITLES[figure], ...heads, ...ratioHeads.map((name) => `${name}: ratio`)];
  return renderTable(head, rows, ['left', ...peers.map(() => /** @type {const} */ ('right'))]);
}

/**
 * @param {Goal} goal
 * @param {import('../statistics.js').Spread | undefined} times
 */
function formatGoal(goal, times) {
  if (!times) return '–';
  const shown = `${ratio(times.median)} ×`;
  if (goal.reach === undefined) return shown;
  const sign = goal.figure === 'p99Us' ? '≤' : '≥';
  return `${shown}  ${sign} ${ratio(goal.reach)} ${verdict(times, (value) => isReached(goal, value))}`;
}
