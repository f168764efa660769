import { spread } from '../http/statistics.js';
import { derive } from './servers/work.js';

const PROBE_ITERATIONS = 1_000;
const PROBES = 200;

/**
 * How often to iterate the native work, so that it takes so many milliseconds on this machine while nothing else runs.
 * @param {Record<string, number>} works milliseconds by name
 * @returns {Record<string, number>} iterations by name
 */
export function calibrate(works) {
  const times = Array.from({ length: PROBES }, () => {
    const start = performance.now();
    derive(PROBE_ITERATIONS);
    return performance.now() - start;
  });
  const iterationMs = /** @type {import('../http/statistics.js').Spread} */ (spread(times)).median / PROBE_ITERATIONS;
  return Object.fromEntries(
    Object.entries(works).map(([name, ms]) => [name, Math.max(1, Math.round(ms / iterationMs))]),
  );
}
