import type { Shards } from '../shards.js';

/** Maximum age of figures of other HTTP threads, in microseconds. */
const LOOK_US = 50;

/**
 * Counts the queued requests of each shard, including those of other HTTP threads. A request that was taken back leaves its entry in the
 * ring until the shard passes it, so a ring may be longer than the queue. HTTP thread only.
 */
export class Queues {
  readonly #shards: Shards;
  /** Requests submitted to each shard's rings, minus those that were taken back; wraps at 2³². */
  readonly #kept: Int32Array;
  /** Queued requests at the last check plus those submitted since: never too low. */
  readonly #seen: Int32Array;
  /** Queued requests of other HTTP threads at the last check, and its time; constant with one HTTP thread. */
  readonly #others: Int32Array;
  readonly #lookedAt: Float64Array;
  /** Maximum number of entries of requests that were taken back. */
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

  /** Records that a request was submitted to a ring of `shard`. */
  submitted(shard: number): void {
    this.#kept[shard]++;
    this.#seen[shard]++;
  }

  /** Records that a request was taken back from a ring of `shard`. */
  recalled(shard: number): void {
    this.#kept[shard]--;
    this.#stale[shard]++;
  }

  /**
   * The number of requests queued for `shard`, without a check of the ring; never too low. Those of other HTTP threads may be 50 µs old, so each thread
   * may exceed a limit by what the others submit between two of its checks.
   */
  seen(shard: number): number {
    const { now } = this.#shards.load;
    if (now - this.#lookedAt[shard] >= LOOK_US) this.#lookAtOthers(shard, now);
    return this.#seen[shard] + this.#others[shard];
  }

  /** The same for this HTTP thread's requests only. */
  own(shard: number): number {
    return this.#seen[shard];
  }

  /** The number of requests queued for `shard` now. The check costs a cache miss, because the shard writes there. */
  look(shard: number): number {
    this.#lookAtOthers(shard, this.#shards.load.now);
    return this.lookAtOwn(shard) + this.#others[shard];
  }

  #lookAtOthers(shard: number, now: number): void {
    if (this.#shards.map.httpThreads === 1) return;
    this.#lookedAt[shard] = now;
    this.#others[shard] = this.#shards.side.figures.queuedOfOthers(shard);
  }

  /** The number of this HTTP thread's requests that are queued for `shard` now. */
  lookAtOwn(shard: number): number {
    const { side } = this.#shards;
    let waiting = side.queued(shard);
    if (waiting === 0) this.#stale[shard] = 0;
    else if (this.#stale[shard] > 0) {
      const entries = waiting;
      waiting = this.#count(shard);
      // Slots claimed during the count are considered stale until the next check.
      this.#stale[shard] = Math.max(0, entries - waiting);
    }
    this.#seen[shard] = waiting;
    return waiting;
  }

  /**
   * The number of requests claimed from the rings of `shard` since the start; wraps at 2³².
   * @param waiting the result of the latest check of this thread's own requests
   */
  claimed(shard: number, waiting: number): number {
    return (this.#kept[shard] - waiting) | 0;
  }

  /** Checks each slot: about 20 µs for 4,096 of them, and only while there are stale entries. */
  #count(shard: number): number {
    const { side } = this.#shards;
    const { first, end } = side.range;
    let count = 0;
    for (let slot = first; slot < end; slot++) if (side.waitsFor(slot) === shard) count++;
    return count;
  }
}
