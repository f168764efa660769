import { ROWS_BODY } from './servers/rows.js';
import { BODY } from './servers/workload.js';

/**
 * @typedef {object} Peer
 * @property {string} id what --only takes
 * @property {string} title
 * @property {string} file in servers/, or a URL
 * @property {string[]} args its arguments
 * @property {string | Buffer} body expected response body
 * @property {string} [type] expected content type. Default: JSON
 * @property {string} [post] file with the JSON that each request posts. Default: GET
 * @property {number[]} skips connection counts to skip, because they would show nothing new
 */

export const LOOPSHARD = 'loopshard';

const message = { args: [], body: BODY };

/** Servers of every kind that respond with a small object, to measure their overhead. */
const MESSAGE_PEERS = [
  { id: LOOPSHARD, title: 'LoopShard', file: 'loopshard.js', ...message, skips: [] },
  { id: 'node-http', title: 'node:http', file: 'node-http.js', ...message, skips: [500] },
  { id: 'net', title: 'bare net (limit)', file: 'net.js', ...message, skips: [] },
  { id: 'fastify', title: 'Fastify', file: 'fastify.js', ...message, skips: [] },
  // One connection reaches only one of its processes, which is the same as Fastify alone.
  { id: 'fastify-cluster', title: 'Fastify cluster(2)', file: 'fastify-cluster.js', ...message, skips: [1] },
  { id: 'bun', title: 'Bun.serve (native)', file: 'bun.js', ...message, skips: [] },
];

const rows = { body: ROWS_BODY, skips: [] };
const loopshard = { file: 'loopshard.js', ...rows };
const fastify = { file: 'fastify-rows.js', ...rows };

/** Servers that respond with a hundred rows, with and without a schema, to measure serialization. */
const ROWS_PEERS = [
  { id: LOOPSHARD, title: 'LoopShard, schema', ...loopshard, args: ['loopshard-rows-schema-app.js'] },
  { id: 'loopshard-plain', title: 'LoopShard, no schema', ...loopshard, args: ['loopshard-rows-app.js'] },
  { id: 'fastify', title: 'Fastify, schema', ...fastify, args: ['schema'] },
  { id: 'fastify-plain', title: 'Fastify, no schema', ...fastify, args: [] },
];

/** By workload. @type {Record<string, readonly Peer[]>} */
export const PEERS = { message: MESSAGE_PEERS, rows: ROWS_PEERS };
