/* The suites of other projects that run on LoopShard. */
import { mocha, nodeTest, vitest } from './runners.js';
import { INSTALL } from './sources.js';

/** @typedef {import('./runners.js').Runner} Runner */
/**
 * @typedef {object} Suite
 * @property {string} id for the command line
 * @property {string} name
 * @property {string} repository on GitHub
 * @property {string} tag
 * @property {string} version in its package.json
 * @property {readonly (readonly string[])[]} [prepare] commands to run in its folder after the dependencies are installed
 * @property {Runner} runner
 * @property {string} shards module that `--import` loads into the suite's processes for the run on LoopShard
 */

const moduleOf = (/** @type {string} */ name) => new URL(`on-shards/${name}.js`, import.meta.url).href;

/** Its HTTP servers run on LoopShard. */
const HTTP_SERVERS = moduleOf('http-servers');
/** It runs with LoopShard's `Request`, `Response`, `Headers` and `fetch`. */
const GLOBALS = moduleOf('globals');
/** Its apps run with `fromFetch`. */
const SRVX = moduleOf('srvx');

/** @type {readonly Suite[]} */
export const SUITES = [
  {
    id: 'express',
    name: 'Express',
    repository: 'expressjs/express',
    tag: 'v5.2.1',
    version: '5.2.1',
    runner: mocha(['--require', 'test/support/env', 'test/', 'test/acceptance/']),
    shards: HTTP_SERVERS,
  },
  {
    id: 'body-parser',
    name: 'body-parser',
    repository: 'expressjs/body-parser',
    tag: 'v2.3.0',
    version: '2.3.0',
    runner: mocha(['test/']),
    shards: HTTP_SERVERS,
  },
  {
    id: 'compression',
    name: 'compression',
    repository: 'expressjs/compression',
    tag: 'v1.8.1',
    version: '1.8.1',
    // The release that it depends on does not run on Node.js 26.
    prepare: [['npm', ...INSTALL, '--no-save', 'mocha@11.7.5']],
    runner: mocha(['test/']),
    shards: HTTP_SERVERS,
  },
  {
    id: 'send',
    name: 'send',
    repository: 'pillarjs/send',
    tag: '1.2.1',
    version: '1.2.1',
    runner: mocha(['test/']),
    shards: HTTP_SERVERS,
  },
  {
    id: 'express-session',
    name: 'express-session',
    repository: 'expressjs/session',
    tag: 'v1.19.0',
    version: '1.19.0',
    prepare: [['bash', 'test/support/gencert.sh']],
    runner: mocha(['--require', 'test/support/env', 'test/']),
    shards: HTTP_SERVERS,
  },
  {
    id: 'koa',
    name: 'Koa',
    repository: 'koajs/koa',
    tag: 'v3.2.0',
    version: '3.2.0',
    prepare: [['npm', 'run', 'build']],
    runner: nodeTest('__tests__'),
    shards: HTTP_SERVERS,
  },
  {
    id: 'fastify',
    name: 'Fastify',
    repository: 'fastify/fastify',
    tag: 'v5.12.1',
    version: '5.12.1',
    runner: nodeTest('test'),
    shards: HTTP_SERVERS,
  },
  {
    id: 'hono',
    name: 'Hono',
    repository: 'honojs/hono',
    tag: 'v4.13.3',
    version: '4.13.3',
    runner: vitest(['--project', 'main', '--project', 'jsx-runtime-default', '--project', 'jsx-runtime-dom']),
    shards: GLOBALS,
  },
  {
    id: 'node-server',
    name: '@hono/node-server',
    repository: 'honojs/node-server',
    tag: 'v2.0.11',
    version: '2.0.11',
    runner: vitest(),
    shards: HTTP_SERVERS,
  },
  {
    id: 'srvx',
    name: 'srvx, shared tests',
    repository: 'h3js/srvx',
    tag: 'v0.12.7',
    version: '0.12.7',
    // The releases that it depends on do not run on Node.js 20.
    prepare: [['npm', ...INSTALL, '--no-save', 'undici@7.30.2', 'execa@9.6.0']],
    runner: vitest(['test/node.test.ts', '--testNamePattern', String.raw`^node \(http1`]),
    shards: SRVX,
  },
];
