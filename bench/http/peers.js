import { ROWS_BODY } from './servers/rows.js';
import { BODY } from './servers/workload.js';

/**
 * @typedef {object} Peer
 * @property {string} id what --only takes
 * @property {string} title
 * @property {string} file in servers/, or a URL
 * @property {string[]} args for it
 * @property {string | Buffer} body that it has to answer with
 * @property {string} [type] content type of that; JSON unless given
 * @property {string} [post] file with the JSON that each request posts; GET unless given
 * @property {number[]} skips connection counts that would tell nothing new of it, and cost a load in every round
 */

export const LOOPSHARD = 'loopshard';

const message = { args: [], body: BODY };

/** A small object, from every kind of server: how much a server costs. */
const MESSAGE_PEERS = [
  { id: LOOPSHARD, title: 'LoopShard', file: 'loopshard.js', ...message, skips: [] },
  { id: 'node-http', title: 'node:http', file: 'node-http.js', ...message, skips: [500] },
  { id: 'net', title: 'bare net (limit)', file: 'net.js', ...message, skips: [] },
  { id: 'fastify', title: 'Fastify', file: 'fastify.js', ...message, skips: [] },
  // One connection reaches one of its processes: the same as Fastify alone.
  { id: 'fastify-cluster', title: 'Fastify cluster(2)', file: 'fastify-cluster.js', ...message, skips: [1] },
  { id: 'bun', title: 'Bun.serve (native)', file: 'bun.js', ...message, skips: [] },
];

const rows = { body: ROWS_BODY, skips: [] };
const loopshard = { file: 'loopshard.js', ...rows };
const fastify = { file: 'fastify-rows.js', ...rows };

/** A hundred rows, with and without a schema: how much serialization costs. */
const ROWS_PEERS = [
  { id: LOOPSHARD, title: 'LoopShard, schema', ...loopshard, args: ['loopshard-rows-schema-app.js'] },
  { id: 'loopshard-plain', title: 'LoopShard, no schema', ...loopshard, args: ['loopshard-rows-app.js'] },
  { id: 'fastify', title: 'Fastify, schema', ...fastify, args: ['schema'] },
  { id: 'fastify-plain', title: 'Fastify, no schema', ...fastify, args: [] },
];

/** By workload. @type {Record<string, readonly Peer[]>} */
export const PEERS = { message: MESSAGE_PEERS, rows: ROWS_PEERS };
