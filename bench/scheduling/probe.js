import { count, milliseconds } from '../http/format.js';
import { kind } from './requests.js';

/** @typedef {{ path: string, perSecond: number, connections: number }} ProbePlan */
/** @typedef {{ path: string, perSecond?: number, connections: number }} BurnPlan `perSecond` of an open loop */

export const QUIET = 'quiet';
export const BUSY = 'busy';

/** @type {string[]} */
export const PHASES = [QUIET, BUSY];

/**
 * Sends a few latency-sensitive requests; in the busy phase, along with requests that occupy the shards: at a given
 * rate, or as many as the connections can carry.
 * @param {import('../http/server-process.js').RunningServer} server
 * @param {string} phase
 * @param {import('./scenario.js').Bench} bench
 * @param {ProbePlan} probe
 * @param {BurnPlan} burn
 */
export async function runProbe(server, phase, { generator, seconds, seed }, probe, burn) {
  const port = Number(new URL(server.url).port);
  const { perSecond, connections } = probe;
  /** @type {import('./generator/stream.js').StreamPlan[]} */
  const streams = [{ perSecond, connections, kinds: [kind('probe', { path: probe.path })] }];
  if (phase === BUSY) {
    const { path, ...rate } = burn;
    streams.push({ ...rate, kinds: [kind('burn', { path })] });
  }
  const result = await generator.run({ port, seconds, graceSeconds: 5, seed, streams });
  const { accepted, due, statuses } = result.kinds.probe;
  return {
    p50Us: accepted.p50Us,
    p99Us: accepted.p99Us,
    maxUs: accepted.maxUs,
    failed: due - (statuses[200] ?? 0),
    burnt: result.kinds.burn?.okPerSecond ?? 0,
    burntP99Us: result.kinds.burn?.accepted.p99Us ?? 0,
    lateP99Us: result.lateness.p99Us,
  };
}

/** @type {import('./report.js').Column[]} */
export const PROBE_COLUMNS = [
  { head: 'p50 ms', figure: 'p50Us', format: 'ms' },
  { head: 'p99 ms', figure: 'p99Us', format: 'ms' },
  { head: 'max ms', figure: 'maxUs', format: 'ms' },
  { head: 'failed', figure: 'failed', format: 'count' },
  { head: 'work, requests/s', figure: 'burnt', format: 'count' },
  { head: 'sent late, p99 ms', figure: 'lateP99Us', format: 'ms' },
];

/** @param {import('./samples.js').Figures} figures */
export function probeProgress({ p50Us, p99Us, burnt }) {
  return `p50 ${milliseconds(p50Us)} ms   p99 ${milliseconds(p99Us)} ms   next to ${count(burnt)} requests/s`;
}
