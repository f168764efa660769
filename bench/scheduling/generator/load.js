import { setTimeout as sleep } from 'node:timers/promises';
import { histogram, summary } from './recorder.js';
import { Stream } from './stream.js';

/**
 * A load of several concurrent streams.
 * @typedef {object} LoadPlan
 * @property {number} port on 127.0.0.1
 * @property {number} seconds
 * @property {number} graceSeconds how long to wait for the last responses
 * @property {number} seed seed of the times, the kinds and the choice among a kind's requests
 * @property {import('./stream.js').StreamPlan[]} streams; no two kinds have the same name
 */

/**
 * @typedef {object} LoadResult
 * @property {number} seconds
 * @property {Record<string, import('./recorder.js').Outcome>} kinds
 * @property {import('./recorder.js').Latencies} lateness how late requests were sent, because no connection was free or
 * the generator had no core
 * @property {number} generatorCores number of cores that the generator kept busy
 */

/**
 * Opens the connections, then loads a server.
 * @param {LoadPlan} plan
 * @returns {Promise<LoadResult>}
 * @throws Error if the server cannot be reached or its responses are not HTTP
 */
export async function runLoad({ port, seconds, graceSeconds, seed, streams: plans }) {
  /** @type {(error: Error) => void} */
  let fail = () => {};
  const failed = new Promise((_resolve, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const over = new AbortController();
  const pause = (/** @type {number} */ ms) => sleep(ms, undefined, { signal: over.signal }).catch(() => {});
  let startMs = 0;
  const clock = { now: () => performance.now() - startMs, endMs: seconds * 1000, lateness: histogram(), fail };
  const streams = plans.map((plan, i) => new Stream(plan, clock, seed + i));
  try {
    await Promise.race([failed, Promise.all(streams.map((stream) => stream.open(port)))]);
    const cpuBefore = process.cpuUsage();
    startMs = performance.now();
    for (const stream of streams) stream.start();
    await Promise.race([failed, pause(seconds * 1000)]);
    const { user, system } = process.cpuUsage(cpuBefore);
    for (const stream of streams) stream.stop();
    const answered = Promise.all(streams.map((stream) => stream.answered()));
    await Promise.race([failed, answered, pause(graceSeconds * 1000)]);
    const kinds = Object.assign({}, ...streams.map((stream) => stream.finish()));
    return { seconds, kinds, lateness: summary(clock.lateness), generatorCores: (user + system) / (seconds * 1e6) };
  } finally {
    over.abort();
    for (const stream of streams) stream.close();
  }
}
