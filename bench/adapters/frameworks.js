import { BODY } from '../http/servers/workload.js';

/** @typedef {import('../http/peers.js').Peer} Peer */

/**
 * A framework, on a shard and on its usual server for Node.js.
 * @typedef {object} Framework
 * @property {string} id what --only takes
 * @property {Peer} shard
 * @property {Peer} usual
 * @property {number} [reach] how many times as many requests/s as on its usual server
 */

const SERVERS = new URL('./servers/', import.meta.url);
const HONO_NODE = { title: '@hono/node-server', file: 'hono-node.js' };
const SHARD = '{"shards":1}';

/**
 * @param {string} id
 * @param {string} title
 * @param {{ title: string, file: string }} usual
 * @param {number} [reach]
 * @returns {Framework}
 */
function framework(id, title, usual, reach) {
  const common = { body: BODY, skips: [] };
  const app = new URL(`${id}-app.js`, SERVERS).href;
  return {
    id,
    shard: { id: `${id}-shard`, title: `${title} on a shard`, file: 'loopshard.js', args: [app, SHARD], ...common },
    usual: {
      id: `${id}-usual`,
      title: `${title} on ${usual.title}`,
      file: new URL(usual.file, SERVERS).href,
      args: [app],
      ...common,
    },
    ...(reach !== undefined && { reach }),
  };
}

export const FRAMEWORKS = [
  framework('hono', 'Hono', HONO_NODE, 1.7),
  framework('hono-middleware', 'Hono with middleware', HONO_NODE),
  framework('h3', 'h3', { title: 'srvx', file: 'h3-srvx.js' }),
  framework('express', 'Express', { title: 'node:http', file: 'express-node.js' }, 1.7),
  framework('koa', 'Koa', { title: 'node:http', file: 'koa-node.js' }, 1.5),
  framework('fastify', 'Fastify', { title: 'node:http', file: 'fastify-node.js' }, 1.15),
];
