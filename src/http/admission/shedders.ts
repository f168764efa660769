import type { Group } from '../../options/scheduling.js';

/** Shards that are shedding load, and since when. HTTP thread. */
export class Shedders {
  readonly #groups: readonly Group[];
  /** Shard → milliseconds of `performance.now()`. */
  readonly #since = new Map<number, number>();

  constructor(groups: readonly Group[]) {
    this.#groups = groups;
  }

  set(shard: number, shedding: boolean): void {
    if (shedding) this.#since.set(shard, performance.now());
    else this.#since.delete(shard);
  }

  /** For how many milliseconds all shards of a group have been shedding; of several groups, the longest time. */
  longest(): number {
    return Math.max(0, ...this.#groups.map((group) => performance.now() - this.#begin(group)));
  }

  #begin({ first, count }: Group): number {
    const begins = Array.from({ length: count }, (_, i) => this.#since.get(first + i) ?? Number.POSITIVE_INFINITY);
    return Math.max(...begins);
  }
}
