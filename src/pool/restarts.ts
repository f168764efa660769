/** After a thread that was ready for at least this long, the next one is started immediately. */
const LIVED_MS = 1_000;
const FIRST_DELAY_MS = 10;
const LAST_DELAY_MS = 5_000;
/** Delays are shorter by up to this part, at random: shards that ended together, for instance without their database, do not all start together. */
const JITTER = 1 / 2;
/** The circuit counts restarts within this time, and stays open for the same time. */
export const CIRCUIT_MS = 10_000;

/**
 * Decides when the next thread of a shard is started: the longer the last one lived, the sooner. A shard that needs more than
 * `maxRestarts` threads within 10 s opens its circuit: it gets one thread every 10 s, which serves as a trial, until one has lived that long.
 */
export class Restarts {
  readonly #max: number;
  readonly #random: () => number;
  /** Times of the latest restarts, in milliseconds. */
  #recent: number[] = [];
  /** Delay before the next thread if the last one did not live long. */
  #delayMs = FIRST_DELAY_MS;
  #isOpen = false;

  /**
   * @param max restarts within 10 s; 0 disables the limit, and the delay between threads that were ready
   * @param random numbers from 0 to 1
   */
  constructor(max: number, random: () => number = Math.random) {
    this.#max = max;
    this.#random = random;
  }

  /**
   * Whether only one thread every 10 s is started.
   * @param livedMs how long the current thread has been ready
   */
  isOpen(livedMs: number): boolean {
    return this.#isOpen && livedMs < CIRCUIT_MS;
  }

  /**
   * Records that a thread has ended.
   * @param livedMs how long it had been ready; 0 if it never was
   * @param nowMs of a monotonic clock
   * @returns milliseconds until the next one is to be started
   */
  next(livedMs: number, nowMs: number): number {
    const delayMs = this.#backOff(livedMs);
    if (this.#max === 0) return livedMs > 0 ? Math.min(delayMs, FIRST_DELAY_MS) : delayMs;
    this.#recent = this.#recent.filter((time) => nowMs - time < CIRCUIT_MS);
    this.#isOpen = this.#recent.length >= this.#max || this.isOpen(livedMs);
    const waitMs = this.#isOpen ? CIRCUIT_MS : delayMs;
    this.#recent.push(nowMs + waitMs);
    return waitMs;
  }

  #backOff(livedMs: number): number {
    if (livedMs >= LIVED_MS) {
      this.#delayMs = FIRST_DELAY_MS;
      return 0;
    }
    const delayMs = this.#delayMs;
    this.#delayMs = Math.min(delayMs * 2, LAST_DELAY_MS);
    return delayMs * (1 - JITTER * this.#random());
  }
}
