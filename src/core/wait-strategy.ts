import { performance } from 'node:perf_hooks';

const now = performance.now.bind(performance);

/** Waits that were longer than this on average are not worth a core; waking a parked thread takes about half of it. */
const WORTH_MS = 0.15;
/** How much the latest wait counts. */
const WEIGHT = 1 / 8;

/**
 * Whether to wait awake for work, or to park at once: by how long the latest waits took, awake or parked. A thread that waits
 * awake spares a wake-up of tens of microseconds, but takes a core from whoever has work. For one thread.
 */
export class WaitStrategy {
  readonly #turns: number;
  readonly #worthMs: number;
  #waited = 0;
  #since = 0;
  #meanMs = 0;

  /**
   * @param turns of the event loop to wait awake at the most
   * @param worthMs waits that were longer than this on average are not waited for awake
   */
  constructor(turns: number, worthMs = WORTH_MS) {
    this.#turns = turns;
    this.#worthMs = worthMs;
  }

  /** There was nothing to do in a turn. Returns whether to stay awake for another one. */
  wait(): boolean {
    if (this.#waited === 0) this.#since = now();
    return this.#waited++ < this.#turns && this.#meanMs <= this.#worthMs;
  }

  /** What was waited for has come. */
  rewarded(): void {
    if (this.#waited === 0) return;
    this.#meanMs += (now() - this.#since - this.#meanMs) * WEIGHT;
    this.#waited = 0;
  }

  /** Something else has come: the wait begins anew. */
  restart(): void {
    this.#waited = 0;
  }
}
