import type { ShardPool } from '../../pool/shard-pool.js';

/**
 * How many requests wait for each shard. A request that was taken back leaves its entry in the ring until the shard comes
 * past it, so the length of a ring may be more than what waits. HTTP thread only.
 */
export class Queues {
  readonly #pool: ShardPool;
  /** Requests that were put into each shard's rings, without those that were taken back; wraps at 2³². */
  readonly #kept: Int32Array;
  /** What waited at the last look, and what was put there since: at least what waits. */
  readonly #seen: Int32Array;
  /** Entries of requests that were taken back, at most. */
  readonly #stale: Int32Array;

  constructor(pool: ShardPool) {
    const { shards } = pool.map;
    this.#pool = pool;
    this.#kept = new Int32Array(shards);
    this.#seen = new Int32Array(shards);
    this.#stale = new Int32Array(shards);
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

  /** At least as many as wait for `shard` now, without a look. */
  seen(shard: number): number {
    return this.#seen[shard];
  }

  /** How many wait for `shard` now. To look is a miss of the cache: the shard writes there. */
  look(shard: number): number {
    const { side } = this.#pool;
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
   * @param waiting what the look at hand has found
   */
  claimed(shard: number, waiting: number): number {
    return (this.#kept[shard] - waiting) | 0;
  }

  /** Asks each slot: some 20 µs for 4,096 of them, and only while there are stale entries. */
  #count(shard: number): number {
    const { side, map } = this.#pool;
    let count = 0;
    for (let slot = 0; slot < map.slots; slot++) if (side.waitsFor(slot) === shard) count++;
    return count;
  }
}
