/** A thread that has lived for so long was no failure of the start: the next one is started at once. */
const LIVED_MS = 1_000;
const FIRST_DELAY_MS = 10;
const LAST_DELAY_MS = 5_000;
/** The circuit counts the restarts of this time, and stays open for as long. */
export const CIRCUIT_MS = 10_000;

/**
 * When the next thread of a shard is started: the sooner, the longer the last one lived. A shard that needs more than
 * `maxRestarts` of them within 10 s opens its circuit: it gets one thread every 10 s, until one has lived that long.
 */
export class Restarts {
  readonly #max: number;
  /** Times of the latest restarts, in milliseconds. */
  #recent: number[] = [];
  /** What the next thread waits if the last one did not live for long. */
  #delayMs = FIRST_DELAY_MS;
  #isOpen = false;

  /** @param max restarts within 10 s; 0 for any number, and for no delay between threads that were ready */
  constructor(max: number) {
    this.#max = max;
  }

  /** Only one thread every 10 s is tried. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * A thread has ended.
   * @param livedMs for how long it had been ready; 0 if it never was
   * @param nowMs of a monotonic clock
   * @returns milliseconds until the next one is to be started
   */
  next(livedMs: number, nowMs: number): number {
    const delayMs = this.#backOff(livedMs);
    if (this.#max === 0) return livedMs > 0 ? Math.min(delayMs, FIRST_DELAY_MS) : delayMs;
    this.#recent = this.#recent.filter((time) => nowMs - time < CIRCUIT_MS);
    this.#isOpen = this.#recent.length >= this.#max || (this.#isOpen && livedMs < CIRCUIT_MS);
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
    return delayMs;
  }
}
