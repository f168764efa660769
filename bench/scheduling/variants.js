import os from 'node:os';

/** @typedef {import('./servers/settings.js').Settings} Settings */

/**
 * A server of a scenario.
 * @typedef {object} Variant
 * @property {import('../http/peers.js').Peer} peer
 * @property {Partial<Settings>} settings
 * @property {boolean} isLoopShard
 * @property {string} [app] what --only takes too, for all servers of an app
 */

const SERVERS = new URL('./servers/', import.meta.url);

/** Number of shards, cluster processes and piscina threads, the same for all servers. */
export const CORES = os.availableParallelism();

/** What --only takes for a server. @param {Variant} variant */
export function namesOf({ peer: { id }, app }) {
  return app === undefined ? [id] : [app, id];
}

const APP = new URL('loopshard-app.js', SERVERS).href;

/**
 * @param {string} id what --only takes
 * @param {string} title
 * @param {import('loopshard').ServeOptions} options of serve()
 * @param {Partial<Settings>} [settings]
 * @param {string} [app] URL of its module
 * @returns {Variant}
 */
export function loopshard(id, title, options, settings = {}, app = APP) {
  const common = peer(id, title, 'loopshard.js', [JSON.stringify(options), app]);
  return { peer: { ...common, product: 'LoopShard' }, settings, isLoopShard: true };
}

/**
 * @param {string} id what --only takes
 * @param {string} title
 * @param {string} file in servers/, or a URL
 * @param {string[]} args
 * @param {Partial<Settings>} [settings]
 * @returns {Variant}
 */
export function otherServer(id, title, file, args = [], settings = {}) {
  return { peer: peer(id, title, file, args), settings, isLoopShard: false };
}

export const FASTIFY = otherServer('fastify', 'Fastify', 'fastify.js', ['1']);
export const CLUSTER = otherServer('cluster', `Fastify cluster(${CORES})`, 'fastify.js', [`${CORES}`]);
export const PISCINA = otherServer('piscina', `Fastify + piscina(${CORES})`, 'fastify-piscina.js');
export const CLUSTER_UNDER_PRESSURE = otherServer(
  'under-pressure',
  `Fastify cluster(${CORES}) + under-pressure`,
  'fastify.js',
  [`${CORES}`],
  { underPressure: true },
);

/**
 * @param {string} id
 * @param {string} title
 * @param {string} file
 * @param {string[]} args
 * @returns {import('../http/peers.js').Peer}
 */
function peer(id, title, file, args) {
  return { id, title, file: new URL(file, SERVERS).href, args, body: '', skips: [] };
}
