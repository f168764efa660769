/* How busy event loops are, from their running totals. Runs in browsers and in Node.js. */
import type { ShardView } from './wire.js';

/** The share is computed over at least this time. */
const LEAST_MS = 900;

interface Loop {
  activeMs: number;
  idleMs: number;
}

/** Computes the utilization of each shard's event loop over the last second. */
export class Utilization {
  readonly #last = new Map<number, { loop: Loop; share: number | undefined }>();

  /** Returns the share of the time for which the loop was busy; undefined until it is known. */
  of({ shard, loop }: Pick<ShardView, 'shard' | 'loop'>): number | undefined {
    if (loop === undefined) {
      this.#last.delete(shard);
      return undefined;
    }
    const last = this.#last.get(shard);
    const active = loop.activeMs - (last?.loop.activeMs ?? 0);
    const idle = loop.idleMs - (last?.loop.idleMs ?? 0);
    // The times of another thread begin at zero.
    if (last === undefined || active < 0 || idle < 0) {
      this.#last.set(shard, { loop, share: undefined });
      return undefined;
    }
    if (active + idle < LEAST_MS) return last.share;
    const share = active / (active + idle);
    this.#last.set(shard, { loop, share });
    return share;
  }

  /** Forgets shards that are not in the list. */
  keep(shards: readonly ShardView[]): void {
    const numbers = new Set(shards.map(({ shard }) => shard));
    for (const shard of this.#last.keys()) if (!numbers.has(shard)) this.#last.delete(shard);
  }
}
