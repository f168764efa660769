import { createRequire } from 'node:module';
import { runAutocannon } from './autocannon.js';
import { BenchError } from './errors.js';
import { runWrk, wrkVersion } from './wrk.js';

/**
 * Result of a load.
 * @typedef {object} Load
 * @property {number} requests with a response
 * @property {number} bytes received
 * @property {number} seconds
 * @property {number} p50Us
 * @property {number} p99Us
 * @property {Record<string, number>} errors by kind
 */

/**
 * @typedef {object} Generator
 * @property {string} title
 * @property {boolean} isBottleneck whether it takes more CPU time than the servers that it measures
 * @property {(server: { url: string, peer: import('./peers.js').Peer }, connections: number, seconds: number) => Promise<Load>} run
 */

/** @returns {Generator} wrk, or autocannon if wrk is not installed */
export function chooseGenerator() {
  const version = wrkVersion();
  if (version) return { title: `wrk ${version}, -t1 --latency`, isBottleneck: false, run: runWrk };
  const autocannon = createRequire(import.meta.url)('autocannon/package.json');
  return { title: `autocannon ${autocannon.version}, 1 thread`, isBottleneck: true, run: runAutocannon };
}

/**
 * Loads a server. Any error, and any response whose size differs from the checked one, ends the bench.
 * @param {Generator} generator
 * @param {import('./server-process.js').RunningServer} server
 * @param {number} answerBytes
 * @param {number} connections
 * @param {number} seconds
 */
export async function loadServer(generator, server, answerBytes, connections, seconds) {
  const load = await generator.run(server, connections, seconds);
  const problems = Object.entries(load.errors).flatMap(([kind, count]) => (count > 0 ? `${count} ${kind} errors` : []));
  // When the time is up, each connection may have a response in flight that is not counted as a request.
  const extraBytes = load.bytes - load.requests * answerBytes;
  if (extraBytes < 0 || extraBytes > connections * answerBytes) {
    problems.push(`${load.bytes} bytes for ${load.requests} responses of ${answerBytes} bytes`);
  }
  if (load.requests === 0) problems.push('no response at all');
  if (problems.length === 0) return load;
  throw new BenchError(`${server.peer.title} failed under load at c=${connections}: ${problems.join(', ')}.`);
}
