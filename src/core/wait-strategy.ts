import { performance } from 'node:perf_hooks';

const now = performance.now.bind(performance);

/** If waits are longer than this on average, the thread parks immediately. Waking a parked thread takes about half of it. */
const WORTH_MS = 0.15;
/** Weight of the latest wait. */
const WEIGHT = 1 / 8;

/**
 * Decides whether a thread without work stays awake or parks immediately, by the length of its latest waits. Staying awake avoids a
 * wake-up of tens of microseconds, but uses a core that other threads may need. For one thread.
 */
export class WaitStrategy {
  readonly #turns: number;
  readonly #worthMs: number;
  #waited = 0;
  #since = 0;
  #meanMs = 0;

  /**
   * @param turns maximum number of turns of the event loop to stay awake
   * @param worthMs mean wait above which the thread parks immediately
   */
  constructor(turns: number, worthMs = WORTH_MS) {
    this.#turns = turns;
    this.#worthMs = worthMs;
  }

  /** Called after a turn without work. Returns whether to stay awake for another one. */
  wait(): boolean {
    if (this.#waited === 0) this.#since = now();
    return this.#waited++ < this.#turns && this.#meanMs <= this.#worthMs;
  }

  /** Called when the expected work has arrived. */
  rewarded(): void {
    if (this.#waited === 0) return;
    this.#meanMs += (now() - this.#since - this.#meanMs) * WEIGHT;
    this.#waited = 0;
  }

  /** Called when other work has arrived: starts a new wait. */
  restart(): void {
    this.#waited = 0;
  }
}
