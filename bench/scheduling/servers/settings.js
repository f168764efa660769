/**
 * What a scenario makes of the servers, in the environment of their processes: cluster workers and shards inherit it.
 * @typedef {object} Settings
 * @property {Record<string, number>} iterations of the native work behind each route `/name`
 * @property {Record<string, object>} [routeOptions] of LoopShard's routes, by name
 * @property {boolean} [ownHealth] whether LoopShard answers /livez itself, so that the app has no such route
 * @property {number} [textBytes] of LoopShard's route /text, beside which there are /message and /rows then
 * @property {string} [downstream] what the route /downstream calls
 * @property {boolean} [underPressure] whether Fastify refuses requests while its event loop is late
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
