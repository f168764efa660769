import { setTimeout as sleep } from 'node:timers/promises';
import { loadServer } from './load.js';
import { beginStep, endStep } from './progress.js';

/** @typedef {import('./server-process.js').RunningServer & { answerBytes: number }} CheckedServer */

/**
 * A measured load.
 * @typedef {object} Measurement
 * @property {number} round from 1 on
 * @property {string} peer id
 * @property {number} connections
 * @property {string | undefined} exchange id, where a server is measured with several
 * @property {number} requestsPerSecond
 * @property {number} p50Us
 * @property {number} p99Us
 * @property {number} [cpuUs] CPU time of the server per request, on Linux
 * @property {Record<string, number>} [cpuUsByRole] the same by the roles of its threads
 * @property {import('./load.js').Load} load
 */

const WARM_UP_SECONDS = 2;

/** Pause between two loads, so that a server can close its connections before the next one is measured. */
const PAUSE_MS = 200;

/**
 * A load of each round.
 * @typedef {object} Step
 * @property {CheckedServer} server
 * @property {number} connections
 * @property {string} [exchange] id
 */

/** @typedef {Pick<import('./options.js').Options, 'rounds' | 'seconds'>} Length */

/**
 * Plans a load of every server with every number of connections.
 * @param {CheckedServer[]} servers
 * @param {number[]} connections
 * @returns {Step[]}
 */
export function planConnections(servers, connections) {
  return connections.flatMap((count) =>
    servers.filter(({ peer }) => !peer.skips.includes(count)).map((server) => ({ server, connections: count })),
  );
}

/**
 * Runs a warm-up round and the measured rounds. Every other round runs in reverse order, so that a machine that slows down or speeds up
 * meanwhile favours no server.
 * @param {Step[]} plan
 * @param {import('./load.js').Generator} generator
 * @param {Length} length
 */
export async function runRounds(plan, generator, length) {
  /** @type {Measurement[]} */
  const measurements = [];
  for (let round = 0; round <= length.rounds; round++) {
    const seconds = round === 0 ? Math.min(WARM_UP_SECONDS, length.seconds) : length.seconds;
    const name = round === 0 ? 'warm-up' : `round ${round} of ${length.rounds}`;
    for (const { server, connections, exchange } of round % 2 === 0 ? plan : plan.toReversed()) {
      beginStep(`${name}, ${exchange ?? `c=${connections}`}, ${server.peer.title}`);
      await sleep(PAUSE_MS);
      const before = server.cpuUs();
      const load = await loadServer(generator, server, server.answerBytes, connections, seconds);
      const cpu = cpuPerRequest(before, server.cpuUs(), load.requests);
      const measurement = { ...toMeasurement(round, server.peer.id, connections, load), ...cpu, exchange };
      endStep(measurement);
      if (round > 0) measurements.push(measurement);
    }
  }
  return measurements;
}

/**
 * Estimates how long the rounds take.
 * @param {Step[]} plan
 * @param {Length} length
 */
export function plannedSeconds(plan, { rounds, seconds }) {
  const total = rounds * seconds + Math.min(WARM_UP_SECONDS, seconds);
  return plan.length * (total + ((rounds + 1) * PAUSE_MS) / 1000);
}

/**
 * @param {number} round
 * @param {string} peer
 * @param {number} connections
 * @param {import('./load.js').Load} load
 * @returns {Measurement}
 */
export function toMeasurement(round, peer, connections, load) {
  const requestsPerSecond = load.requests / load.seconds;
  const { p50Us, p99Us } = load;
  return { round, peer, connections, exchange: undefined, requestsPerSecond, p50Us, p99Us, load };
}

/**
 * @param {Record<string, number> | undefined} before CPU time by role
 * @param {Record<string, number> | undefined} after
 * @param {number} requests
 * @returns {Pick<Measurement, 'cpuUs' | 'cpuUsByRole'>}
 */
export function cpuPerRequest(before, after, requests) {
  if (before === undefined || after === undefined) return {};
  const cpuUsByRole = Object.fromEntries(
    Object.entries(after).map(([role, us]) => [role, (us - (before[role] ?? 0)) / requests]),
  );
  return { cpuUs: Object.values(cpuUsByRole).reduce((sum, us) => sum + us, 0), cpuUsByRole };
}
