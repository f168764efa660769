import { CANDIDATES, defaultThreads } from './default-rule.js';

/** @typedef {import('./default-rule.js').Threads} Threads */

const CONNECTIONS = [50, 500];
const CONNECTIONS_PER_CORE = 64;

/**
 * Returns useful numbers of connections for a machine with this many cores.
 * @param {number} cores
 */
export function connectionsFor(cores) {
  const many = CONNECTIONS_PER_CORE * cores;
  return many > Math.max(...CONNECTIONS) ? [...CONNECTIONS, many] : CONNECTIONS;
}

/**
 * Returns the combinations of HTTP threads and shards among which to find the best one.
 * @param {number} cores
 * @param {boolean} isQuick
 * @returns {Threads[]}
 */
export function threadsToTry(cores, isQuick) {
  const most = Math.max(1, cores - 1);
  const https = isQuick
    ? [1, most]
    : [1, 2, 4, cores / 4, cores / 2, (cores * 5) / 8, (cores * 3) / 4, (cores * 13) / 16, most];
  const shards = isQuick ? [cores] : [1, cores / 4, cores / 2, cores - 1, cores];
  const tried = [...integers(https, cores)].flatMap((httpThreads) =>
    [...integers(shards, cores)].map((count) => ({ httpThreads, shards: count, servers: 1 })),
  );
  return unique([...tried, ...CANDIDATES.map(({ threads }) => threads(cores)), defaultThreads(cores)]);
}

/**
 * @param {number[]} values
 * @param {number} most
 */
function integers(values, most) {
  return new Set(values.map((value) => Math.round(value)).filter((value) => value >= 1 && value <= most));
}

/** @param {Threads[]} all */
function unique(all) {
  return [...new Map(all.map((threads) => [JSON.stringify(threads), threads])).values()];
}
