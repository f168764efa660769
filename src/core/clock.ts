import { hrtime } from 'node:process';

const MS_PER_S = 1_000;
const NS_PER_MS = 1_000_000;
const US_PER_MS = 1_000;

/** Milliseconds of the system's monotonic clock, which all threads of a process share. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * MS_PER_S + nanoseconds / NS_PER_MS;
}

/**
 * One clock for several threads: microseconds since an epoch, in 32 bits, so that a word of shared memory holds a time.
 * Times wrap after 71 minutes; only differences of less than 35 minutes mean anything.
 */
export class Clock {
  readonly epochMs: number;
  /** `performance.now()` counts from the start of each thread, and costs half of `hrtime()`. */
  readonly #offsetMs: number;

  /** @param epochMs of the thread whose clock this is to be; the time of the call by default */
  constructor(epochMs = monotonicMs()) {
    this.epochMs = epochMs;
    this.#offsetMs = monotonicMs() - performance.now() - epochMs;
  }

  nowUs(): number {
    return ((performance.now() + this.#offsetMs) * US_PER_MS) | 0;
  }
}
