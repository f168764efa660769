/**
 * Settings of a scenario for the servers, passed in the environment, which cluster workers and shards inherit.
 * @typedef {object} Settings
 * @property {Record<string, number>} iterations of the native work behind each route `/name`
 * @property {Record<string, object>} [routeOptions] of LoopShard's routes, by name
 * @property {boolean} [ownHealth] whether LoopShard itself responds to /livez, so that the app has no such route
 * @property {number} [textBytes] size of LoopShard's route /text; adds the routes /message and /rows too
 * @property {string} [downstream] URL that the route /downstream calls
 * @property {boolean} [underPressure] whether Fastify rejects requests while its event loop is late
 * @property {{ module: string, adapter: 'fromFetch' | 'fromNode' }} [foreign] app that LoopShard mounts; its heavy part in a group
 * @property {number} processes of a cluster, or threads of a piscina pool
 */

const VARIABLE = 'LOOPSHARD_BENCH_SETTINGS';

/**
 * @param {Settings} settings
 * @returns {Record<string, string>} environment
 */
export function settingsEnvironment(settings) {
  return { [VARIABLE]: JSON.stringify(settings) };
}

/** @returns {Settings} */
export function readSettings() {
  return JSON.parse(process.env[VARIABLE] ?? '{"iterations":{},"processes":1}');
}
