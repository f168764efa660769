import { CERTIFICATE } from './servers/certificate.js';
import { ROWS_BODY } from './servers/rows.js';
import { BODY, BROWSER_HEADERS } from './servers/workload.js';

/**
 * @typedef {object} Peer
 * @property {string} id what --only takes
 * @property {string} title
 * @property {string} [product] whose version it reports. Default: the first word of the title
 * @property {string} file in servers/, or a URL
 * @property {string[]} args its arguments
 * @property {string | Buffer} body expected response body
 * @property {string} [type] expected content type. Default: JSON
 * @property {string} [post] file with the JSON that each request posts. Default: GET
 * @property {boolean} [closes] whether each request asks for the end of its connection
 * @property {boolean} [isVaried] whether each request has an ID of its own
 * @property {boolean} [isSecure] whether it speaks TLS
 * @property {number[]} skips connection counts to skip, because they would show nothing new
 */

export const LOOPSHARD = 'loopshard';

const message = { args: [], body: BODY };

/** The headers of requests to a server, besides those that describe the request's body. @param {Peer} peer */
export function headersFor({ closes }) {
  return closes ? { ...BROWSER_HEADERS, connection: 'close' } : BROWSER_HEADERS;
}

/** Servers of every kind that respond with a small object, to measure their overhead. */
const MESSAGE_PEERS = [
  { id: LOOPSHARD, title: 'LoopShard', file: 'loopshard.js', ...message, skips: [] },
  { id: 'node-http', title: 'node:http', file: 'node-http.js', ...message, skips: [500] },
  { id: 'net', title: 'bare net', file: 'net.js', ...message, skips: [] },
  { id: 'onread', title: 'bare onread (limit)', file: 'onread.js', ...message, skips: [] },
  { id: 'fastify', title: 'Fastify', file: 'fastify.js', ...message, skips: [] },
  // One connection reaches only one of its processes, which is the same as Fastify alone.
  { id: 'fastify-cluster', title: 'Fastify cluster(2)', file: 'fastify-cluster.js', ...message, skips: [1] },
  { id: 'bun', title: 'Bun.serve (native)', file: 'bun.js', ...message, skips: [] },
];

/** The same for clients that open a connection for each request. */
const CONNECTIONS_PEERS = MESSAGE_PEERS.filter(({ id }) => id !== 'bun').map((peer) => ({
  ...peer,
  closes: true,
  args: peer.id === 'net' || peer.id === 'onread' ? ['close'] : peer.args,
}));

const tls = { ...message, isSecure: true, skips: [] };
const TLS_OPTIONS = JSON.stringify({ shards: 1, tls: CERTIFICATE });

/** The same over TLS. */
const TLS_PEERS = [
  { id: LOOPSHARD, title: 'LoopShard', file: 'loopshard.js', ...tls, args: ['loopshard-app.js', TLS_OPTIONS] },
  { id: 'node-https', title: 'node:https', file: 'node-http.js', ...tls, args: ['tls'] },
  { id: 'fastify', title: 'Fastify', file: 'fastify.js', ...tls, args: ['./fastify-tls-app.js'] },
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
export const PEERS = {
  message: MESSAGE_PEERS,
  connections: CONNECTIONS_PEERS,
  tls: TLS_PEERS,
  rows: ROWS_PEERS,
};
