/* The frameworks whose apps run on their usual server and on a shard, and what they are asked. */
import type { ServeOptions } from 'loopshard';
import type { Ask, Exchange } from './client.js';
import { COMMON, CONNECTIONS } from './common.js';
import { ELYSIA, EXPRESS, FASTIFY, H3, HONO, ITTY, KOA, NEST, PLAIN, PLAIN_CONNECTIONS } from './own.js';

export interface Framework {
  name: string;
  /** Path of the app, in test/fixtures. */
  app: string;
  /** The app for the usual server, if it is another. */
  usualApp?: string;
  /** The usual server. */
  server: 'node:http' | '@hono/node-server' | 'srvx';
  /** Options of LoopShard that make it behave as the usual server. */
  options: ServeOptions;
  asks: Record<string, Ask>;
  exchanges: Record<string, Exchange>;
}

const AS_NODE: ServeOptions = { timeouts: { keepAliveTimeoutMs: 5_000 } };

/** A throwing listener would end the process that runs it on node:http. */
const { 'a pipelined request behind an error': _, ...SAFE_CONNECTIONS } = CONNECTIONS;

export const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'no framework',
    app: 'node/plain.js',
    server: 'node:http',
    options: AS_NODE,
    asks: PLAIN,
    exchanges: { ...SAFE_CONNECTIONS, ...PLAIN_CONNECTIONS },
  },
  framework('Express', 'node/express.js', 'node:http', EXPRESS),
  framework('Koa', 'node/koa.js', 'node:http', KOA),
  {
    ...framework('Fastify', 'node/fastify.js', 'node:http', FASTIFY),
    options: { timeouts: { keepAliveTimeoutMs: 72_000 } },
  },
  framework('Nest', 'node/nest.js', 'node:http', NEST),
  framework('Hono', 'fetch/hono.js', '@hono/node-server', HONO),
  {
    ...framework('Hono, bodies as streams', 'fetch/hono-streamed.js', '@hono/node-server', HONO),
    usualApp: 'fetch/hono.js',
  },
  framework('h3', 'fetch/h3.js', 'srvx', H3),
  framework('Elysia', 'fetch/elysia.js', 'srvx', ELYSIA),
  framework('itty-router', 'fetch/itty.js', 'srvx', ITTY),
];

function framework(name: string, app: string, server: Framework['server'], own: Record<string, Ask>): Framework {
  const options =
    server === 'node:http' ? AS_NODE : { ...AS_NODE, abortOnHalfClose: true, limits: { maxBodyBytes: 3_000_000 } };
  return { name, app, server, options, asks: { ...COMMON, ...own }, exchanges: CONNECTIONS };
}

/** How many behaviours of a framework are compared. */
export function count({ asks, exchanges }: Framework): number {
  return Object.keys(asks).length + Object.keys(exchanges).length;
}
