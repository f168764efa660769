import { derive } from './servers/work.js';

const PROBE_ITERATIONS = 500;
const PROBES_MS = 1_000;
/** Slower probes were disturbed, or ran while the core was waking up. */
const QUANTILE = 0.1;

/** @type {number | undefined} */
let measuredMs;

/**
 * Returns how often to iterate the native work so that it takes this many milliseconds on this machine while it is idle. The machine is
 * measured once, so that all scenarios of a run use the same work.
 * @param {Record<string, number>} works milliseconds by name
 * @returns {Record<string, number>} iterations by name
 */
export function calibrate(works) {
  const iterationMs = (measuredMs ??= measureIterationMs());
  return Object.fromEntries(
    Object.entries(works).map(([name, ms]) => [name, Math.max(1, Math.round(ms / iterationMs))]),
  );
}

function measureIterationMs() {
  const times = [];
  const end = performance.now() + PROBES_MS;
  for (let start = performance.now(); start < end; start = performance.now()) {
    derive(PROBE_ITERATIONS);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * QUANTILE)] / PROBE_ITERATIONS;
}
