/* Which shards have claimed requests of which others lately. Runs in browsers and in Node.js. */
import type { ShardView } from './wire.js';

/** Steals are shown for this long. */
const WINDOW_MS = 3_000;

export interface Steal {
  from: number;
  by: number;
  /** Within the last three seconds. */
  count: number;
}

/** Finds the steals of the last seconds from the running totals of shards. */
export class StealRates {
  /** By thief and victim: the latest total. */
  readonly #totals = new Map<string, number>();
  #hasBegun = false;
  #recent: { atMs: number; from: number; by: number; count: number }[] = [];

  /** @param nowMs by a monotonic clock */
  update(shards: readonly ShardView[], nowMs: number): Steal[] {
    for (const { shard: by, stolen } of shards) {
      for (const { from, count } of stolen) this.#add(by, from, count, nowMs);
    }
    this.#hasBegun = true;
    this.#recent = this.#recent.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
    const sums = new Map<string, Steal>();
    for (const { from, by, count } of this.#recent) {
      const key = `${by} ${from}`;
      sums.set(key, { from, by, count: count + (sums.get(key)?.count ?? 0) });
    }
    return [...sums.values()];
  }

  #add(by: number, from: number, total: number, atMs: number): void {
    const key = `${by} ${from}`;
    // What was stolen before the first look may be long ago. After a reload totals begin at zero.
    const before = this.#totals.get(key) ?? (this.#hasBegun ? 0 : total);
    this.#totals.set(key, total);
    if (total > before) this.#recent.push({ atMs, from, by, count: total - before });
  }
}
