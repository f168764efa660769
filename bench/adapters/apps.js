import { compareLoads } from '../scheduling/samples.js';
import { loopshard } from '../scheduling/variants.js';
import { usualServer } from './usual-server.js';

/** @typedef {import('../scheduling/variants.js').Variant} Variant */

/**
 * An app of a framework.
 * @typedef {object} ForeignApp
 * @property {string} id what --only takes for all of its servers
 * @property {string} title
 * @property {string} framework its package
 * @property {string} usual server for Node.js
 * @property {'fromFetch' | 'fromNode'} adapter
 * @property {number} [reach] how many times as many requests/s one shard must serve as the usual server
 */

const HONO = { framework: 'hono', usual: '@hono/node-server', adapter: /** @type {const} */ ('fromFetch') };
const NODE = { usual: 'node:http', adapter: /** @type {const} */ ('fromNode') };

/** @type {readonly ForeignApp[]} */
export const APPS = [
  { id: 'hono', title: 'Hono', ...HONO, reach: 1.7 },
  { id: 'hono-middleware', title: 'Hono with middleware', ...HONO },
  { id: 'h3', title: 'h3', framework: 'h3', usual: 'srvx', adapter: 'fromFetch' },
  { id: 'express', title: 'Express', framework: 'express', ...NODE, reach: 1.7 },
  { id: 'koa', title: 'Koa', framework: 'koa', ...NODE, reach: 1.5 },
  { id: 'fastify', title: 'Fastify', framework: 'fastify', ...NODE, reach: 1.15 },
];

const urlOf = (/** @type {string} */ id) => new URL(`./servers/${id}-app.js`, import.meta.url).href;

/**
 * The same app on two servers.
 * @typedef {object} Pair
 * @property {ForeignApp} app
 * @property {Variant} usual
 * @property {Variant} ours
 * @property {string} other name of the usual server
 */

/**
 * The app on its usual server, and as it is on shards.
 * @param {ForeignApp} app
 * @param {number} count of processes and of shards
 * @returns {Pair}
 */
export function onShards(app, count) {
  const title = `${app.title} on ${count === 1 ? 'a shard' : `${count} shards`}`;
  return { app, ...usual(app, count), ours: ours(app, title, { shards: count }, {}, urlOf(app.id)) };
}

/**
 * The app on its usual server, and on shards of which as many as there are processes only run its heavy part.
 * @param {ForeignApp} app
 * @param {number} processes
 * @returns {Pair}
 */
export function inGroups(app, processes) {
  const settings = { foreign: { module: urlOf(app.id), adapter: app.adapter } };
  const groups = { default: 1, heavy: processes };
  const title = `${app.title}, heavy route in a group`;
  return { app, ...usual(app, processes), ours: ours(app, title, { groups }, settings, urlOf('groups')) };
}

/**
 * @param {ForeignApp} app
 * @param {number} processes
 * @returns {Pick<Pair, 'usual' | 'other'>}
 */
function usual({ id, title, framework, usual: server }, processes) {
  const other = processes === 1 ? server : `${server}, cluster(${processes})`;
  const variant = usualServer(`${id}-usual`, `${title} on ${other}`, framework, urlOf(id), processes);
  return { usual: { ...variant, app: id }, other };
}

/**
 * @param {ForeignApp} app
 * @param {string} title
 * @param {import('loopshard').ServeOptions} options
 * @param {Variant['settings']} settings
 * @param {string} module
 * @returns {Variant}
 */
function ours({ id }, title, options, settings, module) {
  return { ...loopshard(`${id}-loopshard`, title, options, settings, module), app: id };
}

/**
 * Compares each of our servers with the usual one of the same app, in a column.
 * @param {Pair[]} pairs
 * @returns {(load: import('../scheduling/samples.js').Load) => { variant: string }}
 */
export function usualOf(pairs) {
  return ({ variant }) => ({ variant: pairs.find(({ ours }) => ours.peer.id === variant)?.usual.peer.id ?? variant });
}

/**
 * Compares a figure of our server with that of the usual one.
 * @param {import('../scheduling/samples.js').Sample[]} samples
 * @param {string} figure
 * @param {string} phase
 * @param {Pair} pair
 */
export function compareToUsual(samples, figure, phase, { ours, usual }) {
  return compareLoads(samples, figure, { variant: ours.peer.id, phase }, { variant: usual.peer.id, phase });
}
