import { performance } from 'node:perf_hooks';
import { hrtime } from 'node:process';

/** Captured when the module is loaded, because tests in handlers may install fake clocks and timers. */
const now = performance.now.bind(performance);

const MS_PER_S = 1_000;
const NS_PER_MS = 1_000_000;
const US_PER_MS = 1_000;

/** Milliseconds of the system's monotonic clock, which is the same for all threads. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * MS_PER_S + nanoseconds / NS_PER_MS;
}

/** How often the two clocks are compared: the thread may be interrupted between them, so the quickest comparison counts. */
const COMPARISONS = 5;

/** Difference between the monotonic clock and `performance.now()`, in milliseconds. */
function compareClocks(): number {
  let quickestMs = Number.POSITIVE_INFINITY;
  let differenceMs = 0;
  for (let i = 0; i < COMPARISONS; i++) {
    const before = now();
    const monotonic = monotonicMs();
    const after = now();
    if (after - before >= quickestMs) continue;
    quickestMs = after - before;
    differenceMs = monotonic - (before + after) / 2;
  }
  return differenceMs;
}

/** Maximum difference between the clocks of two threads. */
const SKEW_US = 1_000_000;

/**
 * A clock shared by several threads, in whole microseconds since an epoch. It never wraps and never goes back, so any two of its
 * times can be compared. Shared memory stores the low 32 bits of a time; `elapsedUs` measures from such a word.
 */
export class Clock {
  readonly epochMs: number;
  /** Offset of `performance.now()`, which counts from the start of each thread. It takes half as long as `hrtime()`. */
  readonly #offsetMs: number;

  /** @param epochMs epoch of another thread's clock. Default: now */
  constructor(epochMs = monotonicMs()) {
    this.epochMs = epochMs;
    this.#offsetMs = compareClocks() - epochMs;
  }

  nowUs(): number {
    return this.usAt(now());
  }

  /** @param ms a time of `performance.now()` of the calling thread */
  usAt(ms: number): number {
    return Math.floor((ms + this.#offsetMs) * US_PER_MS);
  }
}

/**
 * Returns the microseconds from a stored time to `nowUs`, which may come from another thread.
 * @param word low 32 bits of a time less than 71 minutes ago
 */
export function elapsedUs(nowUs: number, word: number): number {
  return ((nowUs - word + SKEW_US) >>> 0) - SKEW_US;
}
