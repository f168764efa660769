import type { Shards } from '../shards.js';

/** How old what is known of other HTTP threads may be, in microseconds. */
const LOOK_US = 50;

/**
 * How many requests wait for each shard, those of other HTTP threads included. A request that was taken back leaves its entry in the ring until the shard comes
 * past it, so the length of a ring may be more than what waits. HTTP thread only.
 */
export class Queues {
  readonly #shards: Shards;
  /** Requests that were put into each shard's rings, without those that were taken back; wraps at 2³². */
  readonly #kept: Int32Array;
  /** What waited at the last look, and what was put there since: at least what waits. */
  readonly #seen: Int32Array;
  /** What waited of other HTTP threads at the last look, and when that was; nothing changes with one HTTP thread. */
  readonly #others: Int32Array;
  readonly #lookedAt: Float64Array;
  /** Entries of requests that were taken back, at most. */
  readonly #stale: Int32Array;

  constructor(shards: Shards) {
    const count = shards.map.shards;
    this.#shards = shards;
    this.#kept = new Int32Array(count);
    this.#seen = shards.side.figures.queued;
    this.#others = new Int32Array(count);
    this.#lookedAt = new Float64Array(count).fill(shards.map.httpThreads > 1 ? 0 : Number.POSITIVE_INFINITY);
    this.#stale = new Int32Array(count);
  }

  /** A request was put into a ring of `shard`. */
  submitted(shard: number): void {
    this.#kept[shard]++;
    this.#seen[shard]++;
  }

  /** A request was taken back from a ring of `shard`. */
  recalled(shard: number): void {
    this.#kept[shard]--;
    this.#stale[shard]++;
  }

  /**
   * At least as many as wait for `shard` now, without a look; those of other HTTP threads as of 50 µs ago, so that each of
   * these threads may exceed a limit by what the others submit between two of its looks.
   */
  seen(shard: number): number {
    const { now } = this.#shards.load;
    if (now - this.#lookedAt[shard] >= LOOK_US) this.#lookAtOthers(shard, now);
    return this.#seen[shard] + this.#others[shard];
  }

  /** The same of this HTTP thread's requests alone. */
  own(shard: number): number {
    return this.#seen[shard];
  }

  /** How many wait for `shard` now. To look is a miss of the cache: the shard writes there. */
  look(shard: number): number {
    this.#lookAtOthers(shard, this.#shards.load.now);
    return this.lookAtOwn(shard) + this.#others[shard];
  }

  #lookAtOthers(shard: number, now: number): void {
    if (this.#shards.map.httpThreads === 1) return;
    this.#lookedAt[shard] = now;
    this.#others[shard] = this.#shards.side.figures.queuedOfOthers(shard);
  }

  /** How many requests of this HTTP thread wait for `shard` now. */
  lookAtOwn(shard: number): number {
    const { side } = this.#shards;
    let waiting = side.queued(shard);
    if (waiting === 0) this.#stale[shard] = 0;
    else if (this.#stale[shard] > 0) {
      const entries = waiting;
      waiting = this.#count(shard);
      // What was claimed during the count is taken for stale until the next look.
      this.#stale[shard] = Math.max(0, entries - waiting);
    }
    this.#seen[shard] = waiting;
    return waiting;
  }

  /**
   * How many requests have left the rings of `shard` by a claim, since the start; wraps at 2³².
   * @param waiting what the look at this thread's own has found
   */
  claimed(shard: number, waiting: number): number {
    return (this.#kept[shard] - waiting) | 0;
  }

  /** Asks each slot: some 20 µs for 4,096 of them, and only while there are stale entries. */
  #count(shard: number): number {
    const { side } = this.#shards;
    const { first, end } = side.range;
    let count = 0;
    for (let slot = first; slot < end; slot++) if (side.waitsFor(slot) === shard) count++;
    return count;
  }
}
