import type { Group } from '../../options/scheduling.js';

/** Shards that are shedding load, and since when. HTTP thread. */
export class Shedders {
  readonly #groups: readonly Group[];
  readonly #ready: Uint8Array;
  /** Shard → milliseconds of `performance.now()`. */
  readonly #since = new Map<number, number>();

  /** @param ready 1 for each shard that accepts requests */
  constructor(groups: readonly Group[], ready: Uint8Array) {
    this.#groups = groups;
    this.#ready = ready;
  }

  set(shard: number, shedding: boolean): void {
    if (shedding) this.#since.set(shard, performance.now());
    else this.#since.delete(shard);
  }

  /** For how many milliseconds all shards of a group that accept requests have been shedding; of several groups, the longest time. */
  longest(): number {
    return Math.max(0, ...this.#groups.map((group) => performance.now() - this.#begin(group)));
  }

  #begin({ first, count }: Group): number {
    let begin = Number.NEGATIVE_INFINITY;
    for (let shard = first; shard < first + count; shard++) {
      if (this.#ready[shard] === 1) begin = Math.max(begin, this.#since.get(shard) ?? Number.POSITIVE_INFINITY);
    }
    return begin === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : begin;
  }
}
