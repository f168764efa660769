import type { Group } from '../../options/scheduling.js';

/** Which shards refuse requests because others wait for too long, and since when. HTTP thread. */
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

  /** For how long all shards of a group have been shedding, in milliseconds: of the group that has for longest. */
  longest(): number {
    return Math.max(0, ...this.#groups.map((group) => performance.now() - this.#begin(group)));
  }

  #begin({ first, count }: Group): number {
    const begins = Array.from({ length: count }, (_, i) => this.#since.get(first + i) ?? Number.POSITIVE_INFINITY);
    return Math.max(...begins);
  }
}
