import os from 'node:os';

/** @typedef {import('./servers/settings.js').Settings} Settings */

/**
 * A server of a scenario.
 * @typedef {object} Variant
 * @property {import('../http/peers.js').Peer} peer
 * @property {Partial<Settings>} settings
 * @property {boolean} isLoopShard
 */

/** Number of shards, cluster processes and piscina threads, the same for all servers. */
export const CORES = os.availableParallelism();

/**
 * @param {string} id what --only takes
 * @param {string} title
 * @param {import('loopshard').ServeOptions} options of serve()
 * @param {Partial<Settings>} [settings]
 * @returns {Variant}
 */
export function loopshard(id, title, options, settings = {}) {
  return { peer: peer(id, title, 'loopshard.js', [JSON.stringify(options)]), settings, isLoopShard: true };
}

/**
 * @param {string} id
 * @param {string} title
 * @param {string} file in servers/
 * @param {Partial<Settings>} [settings]
 * @returns {Variant}
 */
function fastify(id, title, file, settings = {}) {
  return { peer: peer(id, title, file, []), settings, isLoopShard: false };
}

export const FASTIFY = fastify('fastify', 'Fastify', 'fastify.js');
export const CLUSTER = fastify('cluster', `Fastify cluster(${CORES})`, 'fastify-cluster.js');
export const PISCINA = fastify('piscina', `Fastify + piscina(${CORES})`, 'fastify-piscina.js');
export const CLUSTER_UNDER_PRESSURE = fastify(
  'under-pressure',
  `Fastify cluster(${CORES}) + under-pressure`,
  'fastify-cluster.js',
  { underPressure: true },
);

/**
 * @param {string} id
 * @param {string} title
 * @param {string} file
 * @param {string[]} args
 */
function peer(id, title, file, args) {
  return { id, title, file: new URL(`./servers/${file}`, import.meta.url).href, args, body: '', skips: [] };
}
