import { performance } from 'node:perf_hooks';
import { hrtime } from 'node:process';

/** Taken when the module is loaded: tests in handlers may put fake clocks and timers in the place of the real ones. */
const now = performance.now.bind(performance);

const MS_PER_S = 1_000;
const NS_PER_MS = 1_000_000;
const US_PER_MS = 1_000;

/** Milliseconds of the system's monotonic clock, which all threads of a process share. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * MS_PER_S + nanoseconds / NS_PER_MS;
}

/** By how much the clocks of two threads may differ. */
const SKEW_US = 1_000_000;

/**
 * One clock for several threads: whole microseconds since an epoch. It never wraps and never goes back, so any two of its
 * times can be compared. A 32-bit word of shared memory keeps the low bits of a time; `elapsedUs` measures from such a word.
 */
export class Clock {
  readonly epochMs: number;
  /** `performance.now()` counts from the start of each thread, and costs half of `hrtime()`. */
  readonly #offsetMs: number;

  /** @param epochMs of the thread whose clock this is to be; the time of the call by default */
  constructor(epochMs = monotonicMs()) {
    this.epochMs = epochMs;
    this.#offsetMs = monotonicMs() - now() - epochMs;
  }

  nowUs(): number {
    return Math.floor((now() + this.#offsetMs) * US_PER_MS);
  }
}

/**
 * Microseconds from a time of which a word kept the low 32 bits to `nowUs`, which another thread may have read.
 * @param word of a time that is less than 71 minutes ago
 */
export function elapsedUs(nowUs: number, word: number): number {
  return ((nowUs - word + SKEW_US) >>> 0) - SKEW_US;
}
