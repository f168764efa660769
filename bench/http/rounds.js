import { setTimeout as sleep } from 'node:timers/promises';
import { loadServer } from './load.js';
import { beginStep, endStep } from './progress.js';

/** @typedef {import('./server-process.js').RunningServer & { answerBytes: number }} CheckedServer */

/**
 * One load that counts.
 * @typedef {object} Measurement
 * @property {number} round from 1 on
 * @property {string} peer id
 * @property {number} connections
 * @property {number} requestsPerSecond
 * @property {number} p50Us
 * @property {number} p99Us
 * @property {import('./load.js').Load} load
 */

const WARM_UP_SECONDS = 2;

/** Between two loads, for the one server to close its connections before the other is measured. */
const PAUSE_MS = 200;

/**
 * @param {CheckedServer[]} servers
 * @param {import('./options.js').Options} options
 */
function planRound(servers, { connections }) {
  return connections.flatMap((count) =>
    servers.filter(({ peer }) => !peer.skips.includes(count)).map((server) => ({ server, connections: count })),
  );
}

/**
 * A round that warms up, then those that count. Every other round runs backwards, so that a machine that slows down or
 * speeds up meanwhile favours nobody.
 * @param {CheckedServer[]} servers
 * @param {import('./load.js').Generator} generator
 * @param {import('./options.js').Options} options
 */
export async function runRounds(servers, generator, options) {
  const plan = planRound(servers, options);
  /** @type {Measurement[]} */
  const measurements = [];
  for (let round = 0; round <= options.rounds; round++) {
    const seconds = round === 0 ? Math.min(WARM_UP_SECONDS, options.seconds) : options.seconds;
    const name = round === 0 ? 'warm-up' : `round ${round} of ${options.rounds}`;
    for (const { server, connections } of round % 2 === 0 ? plan : plan.toReversed()) {
      beginStep(`${name}, c=${connections}, ${server.peer.title}`);
      await sleep(PAUSE_MS);
      const load = await loadServer(generator, server, server.answerBytes, connections, seconds);
      const measurement = toMeasurement(round, server.peer.id, connections, load);
      endStep(measurement);
      if (round > 0) measurements.push(measurement);
    }
  }
  return measurements;
}

/**
 * How long the rounds will take.
 * @param {CheckedServer[]} servers
 * @param {import('./options.js').Options} options
 */
export function plannedSeconds(servers, options) {
  const total = options.rounds * options.seconds + Math.min(WARM_UP_SECONDS, options.seconds);
  return planRound(servers, options).length * (total + ((options.rounds + 1) * PAUSE_MS) / 1000);
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
  return { round, peer, connections, requestsPerSecond, p50Us: load.p50Us, p99Us: load.p99Us, load };
}
