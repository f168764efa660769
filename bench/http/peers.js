/**
 * @typedef {object} Peer
 * @property {string} id what --only takes
 * @property {string} title
 * @property {string} file in servers/
 * @property {number[]} skips connection counts that would tell nothing new of it, and cost a load in every round
 */

/** @type {readonly Peer[]} */
export const PEERS = [
  { id: 'loopshard', title: 'LoopShard', file: 'loopshard.js', skips: [] },
  { id: 'node-http', title: 'node:http', file: 'node-http.js', skips: [500] },
  { id: 'net', title: 'bare net (limit)', file: 'net.js', skips: [] },
  { id: 'fastify', title: 'Fastify', file: 'fastify.js', skips: [] },
  // One connection reaches one of its processes: the same as Fastify alone.
  { id: 'fastify-cluster', title: 'Fastify cluster(2)', file: 'fastify-cluster.js', skips: [1] },
  { id: 'bun', title: 'Bun.serve (native)', file: 'bun.js', skips: [] },
];

export const LOOPSHARD = 'loopshard';
