/**
 * HTTP threads and shards of each server, and the number of servers on one machine.
 * @typedef {{ httpThreads: number, shards: number, servers: number }} Threads
 */

/**
 * A rule for the default number of threads.
 * @typedef {object} Candidate
 * @property {string} title
 * @property {(cores: number) => Threads} threads
 */

/** CPU time of a light request, in microseconds: [c=50] of costs.js. */
export const LIGHT_REQUEST_US = { http: 10.8, shard: 2.2 };

/** The share of cores that HTTP threads need while light requests keep all cores busy. */
const SHARE_OF_HTTP = LIGHT_REQUEST_US.http / (LIGHT_REQUEST_US.http + LIGHT_REQUEST_US.shard);
/** With it, LoopShard serves about twice as many light requests as a Fastify cluster: docs/scaling.md. */
const TWO_THIRDS = 2 / 3;
/** Cores that one server can use well, because its threads read the rings and words of all others. */
export const CORES_OF_A_SERVER = 16;

/** @type {readonly Candidate[]} */
export const CANDIDATES = [
  { title: 'H = 1', threads: (cores) => one(1, cores) },
  { title: 'H = C ÷ 3', threads: (cores) => one(cores / 3, cores) },
  { title: 'H = C ÷ 2', threads: (cores) => one(cores / 2, cores) },
  { title: 'H = C × 2 ÷ 3', threads: (cores) => one(cores * TWO_THIRDS, cores) },
  {
    title: 'H = C × h ÷ (h + s), 1 below 5 cores',
    threads: (cores) => one(cores < 5 ? 1 : cores * SHARE_OF_HTTP, cores),
  },
  { title: `H = C × 2 ÷ 3, a server for each ${CORES_OF_A_SERVER} cores`, threads: defaultThreads },
];

/**
 * The rule that docs/scaling.md recommends.
 * @param {number} cores
 * @returns {Threads}
 */
export function defaultThreads(cores) {
  const servers = Math.ceil(cores / CORES_OF_A_SERVER);
  const each = Math.floor(cores / servers);
  return { ...one(each * TWO_THIRDS, each), servers };
}

/**
 * @param {number} httpThreads to be rounded
 * @param {number} shards
 * @returns {Threads}
 */
function one(httpThreads, shards) {
  return { httpThreads: Math.max(1, Math.round(httpThreads)), shards, servers: 1 };
}

/** @param {Threads} threads */
export function formatThreads({ httpThreads, shards, servers }) {
  return `${servers > 1 ? `${servers} × ` : ''}${httpThreads} + ${shards}`;
}
