import {
  EXTENT_CLASS_SHIFT,
  EXTENT_CLASSES,
  EXTENT_HEAD_BYTES,
  EXTENT_HTTP_STATE,
  EXTENT_LEAST_SHIFT,
  EXTENT_OWNER_SHIFT,
  EXTENT_SHARD_STATE,
  NO_EXTENT,
  OWNER_SHIFT,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { type ExtentClass, extentClasses, type MemoryMap } from './memory-map.js';

/** An owner word that no extent has. */
const NOBODY = -1;
const INDEX_MASK = (1 << EXTENT_CLASS_SHIFT) - 1;

/** The owner word of an extent that belongs to an HTTP thread, or to a shard. */
export function httpOwned(http: number): number {
  return EXTENT_HTTP_STATE | (http << OWNER_SHIFT);
}

export function shardOwned(shard: number): number {
  return EXTENT_SHARD_STATE | (shard << OWNER_SHIFT);
}

/** How many extents of each class requests hold, over all HTTP threads. */
export interface RequestShares {
  /** Adds one, unless that would exceed `most`. */
  take(index: number, most: number): boolean;
  /** Adds `count`, which may be negative. */
  add(index: number, count: number): void;
}

/** Figures of the extents of one size. */
export interface ExtentStats {
  bytes: number;
  free: number;
  total: number;
}

/**
 * The extents, as one thread takes them and gives them back (assembly/extent.ts has the steps). The number of an extent contains its class
 * and its index.
 */
export class Extents {
  readonly #core: CoreMemory;
  readonly #owner: number;
  readonly #classes: readonly ExtentClass[];
  readonly #shares: RequestShares | undefined;

  /**
   * @param owner the owner word of extents that this thread takes
   * @param shares what requests hold; for an HTTP thread
   */
  constructor(core: CoreMemory, map: MemoryMap, owner: number, shares?: RequestShares) {
    this.#shares = shares;
    this.#core = core;
    this.#owner = owner;
    this.#classes = extentClasses(map);
  }

  /** The largest message in bytes that fits one extent. */
  get mostBytes(): number {
    return this.#classes.findLast(({ count }) => count > 0)?.bytes ?? 0;
  }

  /** Takes an extent with room for `bytes`; NO_EXTENT if none is free. Never blocks. */
  take(bytes: number): number {
    for (let index = classFor(bytes); index < EXTENT_CLASSES; index++) {
      const extent = this.#takeOf(index);
      if (extent !== NO_EXTENT) return extent;
    }
    return NO_EXTENT;
  }

  #takeOf(index: number): number {
    const { hints, owners, count } = this.#classes[index];
    const found = this.#core.wasm.extentTake(hints, owners, count, this.#owner);
    return found < 0 ? NO_EXTENT : (index << EXTENT_CLASS_SHIFT) | found;
  }

  // ── extents of requests: HTTP thread only ───────────────────────────────────────────────────────────────────────

  /** The largest request record in bytes that fits one extent. */
  get mostRequestBytes(): number {
    return this.#classes.findLast((one) => requestShare(one) > 0)?.bytes ?? 0;
  }

  /**
   * Takes an extent for a request's record. Requests get at most half of each class: a request keeps its extent until its
   * response is finished, so if requests held all extents, their responses would wait for each other forever (docs/model.md).
   * @returns NO_EXTENT if none is available now
   */
  takeForRequest(bytes: number): number {
    for (let index = classFor(bytes); index < EXTENT_CLASSES; index++) {
      if (!this.#shares!.take(index, requestShare(this.#classes[index]))) continue;
      const extent = this.#takeOf(index);
      if (extent !== NO_EXTENT) return extent;
      this.#shares!.add(index, -1);
    }
    return NO_EXTENT;
  }

  giveOfRequest(extent: number): void {
    this.#shares!.add(extent >> EXTENT_CLASS_SHIFT, -1);
    this.give(extent);
  }

  /** Address of the first byte. */
  start(extent: number): number {
    const { start, bytes } = this.#classes[extent >> EXTENT_CLASS_SHIFT];
    return start + (extent & INDEX_MASK) * bytes;
  }

  /** The size of the extent in bytes. */
  bytes(extent: number): number {
    return this.#classes[extent >> EXTENT_CLASS_SHIFT].bytes;
  }

  /** Takes over an extent with the slot that names it. `false` if `from` does not own it. */
  takeOver(extent: number, from: number): boolean {
    const one = this.#classes[extent >> EXTENT_CLASS_SHIFT];
    if (one === undefined || (extent & INDEX_MASK) >= one.count) return false;
    return this.#core.wasm.extentPass(one.owners, extent & INDEX_MASK, from, this.#owner) === 1;
  }

  /** Gives back an extent that this thread owns. Never blocks. */
  give(extent: number): void {
    const { hints, owners } = this.#classes[extent >> EXTENT_CLASS_SHIFT];
    this.#core.wasm.extentGive(hints, owners, extent & INDEX_MASK);
  }

  /** Counts the request's extent, which the previous thread with this number has taken, among this thread's. */
  adoptOfRequest(address: number): number {
    const extent = this.at(address);
    if (extent !== NO_EXTENT) this.#shares!.add(extent >> EXTENT_CLASS_SHIFT, 1);
    return extent;
  }

  /** The extent that begins at `address`, or NO_EXTENT. */
  at(address: number): number {
    const index = this.#classes.findIndex(({ start, end }) => address >= start && address < end);
    if (index < 0) return NO_EXTENT;
    const { start, bytes } = this.#classes[index];
    return (index << EXTENT_CLASS_SHIFT) | Math.floor((address - start) / bytes);
  }

  /** Frees the extents of an HTTP thread that has exited, except those in `kept`. */
  reclaimOthers(owner: number, kept: ReadonlySet<number>): void {
    for (const [index, { owners, count }] of this.#classes.entries()) {
      for (let position = 0; position < count; position++) {
        const extent = (index << EXTENT_CLASS_SHIFT) | position;
        const word = (owners + (position << EXTENT_OWNER_SHIFT)) >> 2;
        if (kept.has(extent) || Atomics.load(this.#core.i32, word) !== owner) continue;
        this.give(extent);
      }
    }
    // Repairs the hints, in case the thread ended between two steps.
    this.reclaim(NOBODY);
  }

  /** Frees the extents of a thread that has exited, once its completions were taken over. Returns how many. */
  reclaim(owner: number): number {
    const { wasm } = this.#core;
    return this.#classes.reduce(
      (sum, { hints, owners, count }) => sum + wasm.extentReclaim(hints, owners, count, owner),
      0,
    );
  }

  stats(): ExtentStats[] {
    return this.#classes.map(({ bytes, owners, count }) => ({
      bytes,
      free: this.#core.wasm.extentsFree(owners, count),
      total: count,
    }));
  }
}

/** How many extents of a class requests may have. */
function requestShare({ count }: ExtentClass): number {
  return count >> 1;
}

/** The smallest class with room for `bytes`; EXTENT_CLASSES if none has. */
function classFor(bytes: number): number {
  const body = bytes - EXTENT_HEAD_BYTES;
  if (body <= 1 << EXTENT_LEAST_SHIFT) return 0;
  return Math.min(EXTENT_CLASSES, 32 - Math.clz32(body - 1) - EXTENT_LEAST_SHIFT);
}
