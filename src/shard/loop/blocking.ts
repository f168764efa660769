import type { ShardContext } from '../context.js';

/** Shorter times are not worth a look at the rings, in microseconds. */
const NOTABLE_US = 1_000;

/** The part of the latest claim that is not started. */
export interface Unstarted {
  /** Position of the next slot to start. */
  next: number;
  /** Position after the last one. */
  end: number;
}

/**
 * Counts for how long other requests have waited because handlers of a route occupied the event loop: the time, for each request that was
 * submitted to this shard and not started. Shard only.
 */
export class Blocking {
  readonly #context: ShardContext;
  readonly #unstarted: () => Unstarted;

  /** @param unstarted returns what the loop has claimed and not started */
  constructor(context: ShardContext, unstarted: () => Unstarted) {
    this.#context = context;
    this.#unstarted = unstarted;
  }

  /** Records that a handler of `route` has occupied the event loop between two times of the server's clock. */
  occupied(route: number, from: number, to: number): void {
    if (to - from >= NOTABLE_US) this.#count(route, from, to);
  }

  #count(route: number, from: number, to: number): void {
    const { times, side } = this.#context;
    if (times.routes === undefined) return;
    const { next, end } = this.#unstarted();
    times.routes.blocked(route, side.waitedUs(from, to, next, end));
  }
}
