import {
  MAX_BATCH,
  NO_EXTENT,
  OWNER_SHIFT,
  OWNER_STATE_MASK,
  SLOT_BOUND_STATE,
  SLOT_CLAIMED_STATE,
  SLOT_COMPLETED_STATE,
  SLOT_FREE_STATE,
  SLOT_HTTP_STATE,
  SLOT_NO_START,
  SLOT_OWNER_OFFSET,
  SLOT_STARTED_AT_OFFSET,
  SLOT_STARTED_STATE,
  SLOT_SUBMITTED_STATE,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import type { Ring } from '../core/ring.js';
import { Extents, httpOwned, shardOwned } from './extents.js';
import { HttpFigures } from './http-figures.js';
import {
  attachRings,
  httpAddresses,
  type MemoryMap,
  type PairRings,
  type SlotRange,
  slotAddress,
  slotRange,
} from './memory-map.js';
import { boundTo, submittedTo } from './shard-side.js';
import { ShardWords } from './shard-words.js';
import { SlotView } from './slot-view.js';

/**
 * An HTTP thread's side of the contract: its rings with all shards, their doorbells, and how it takes ownership of slots and extents.
 * On an HTTP thread, owner words are changed only here, in FreeSlots, and in the WASM functions that these call. For the HTTP
 * thread.
 */
export class HttpSide {
  /** The number of this HTTP thread. */
  readonly http: number;
  readonly extents: Extents;
  readonly words: ShardWords;
  readonly figures: HttpFigures;
  /** The slots of this thread. */
  readonly range: SlotRange;
  /** By slot: views of this thread's slots. */
  readonly views: readonly SlotView[];
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #polled = new Int32Array(MAX_BATCH);
  /** By shard. */
  readonly #rings: readonly PairRings[];
  /** The doorbells of the other HTTP threads. */
  readonly #otherDoorbells: readonly number[];
  /** By shard: 1 if it was given a slot since its doorbell was rung. */
  readonly #given: Uint8Array;

  constructor(core: CoreMemory, map: MemoryMap, http = 0) {
    this.#core = core;
    this.#map = map;
    this.http = http;
    this.words = new ShardWords(core, map);
    this.figures = new HttpFigures(core, map, http);
    this.extents = new Extents(core, map, httpOwned(http), this.figures);
    this.range = slotRange(map, http);
    this.views = bySlot(this.range, (slot) => new SlotView(core, map, slot));
    const { poll } = httpAddresses(map, http);
    const others = Array.from({ length: map.httpThreads }, (_, one) => one).filter((one) => one !== http);
    this.#rings = Array.from({ length: map.shards }, (_, shard) => attachRings(core, map, http, shard, poll));
    this.#otherDoorbells = others.map((one) => httpAddresses(map, one).doorbell);
    this.#given = new Uint8Array(map.shards);
  }

  // ── submit: HTTP → SUBMITTED or BOUND ───────────────────────────────────────────────────────────────────────────

  /**
   * Passes a slot that the HTTP thread has filled to `shard`.
   * @param bound only this shard may claim it
   */
  submit(slot: number, shard: number, bound: boolean): void {
    const { slotsAddress, slotStride } = this.#map;
    const ring = this.#ring(shard, bound);
    const owner = bound ? boundTo(shard) : submittedTo(shard);
    const { wasm } = this.#core;
    while (wasm.slotSubmit(ring.address, owner, slotsAddress, slotStride, slot) === 0) {
      // The ring has room for all slots, so it is full of stale entries.
      this.#sweep(ring, owner);
    }
    this.#given[shard] = 1;
  }

  /**
   * Drops the stale entries of `ring`. Takes all entries out and puts back those whose slots are still queued, in their order: owner words
   * do not change, and shards may claim as usual meanwhile.
   */
  #sweep(ring: Ring, owner: number): void {
    const kept = new Set<number>();
    const entries = new Int32Array(ring.length);
    const taken = entries.subarray(0, this.#takeAll(ring, entries));
    for (const slot of taken) if (this.#owner(slot) === owner) kept.add(slot);
    const waiting = Int32Array.from(kept);
    for (let at = 0; at < waiting.length; ) at += ring.publishBatch(waiting.subarray(at));
  }

  #takeAll(ring: Ring, into: Int32Array): number {
    let count = 0;
    for (let taken = -1; taken !== 0; count += taken) taken = ring.claim(into.subarray(count));
    return count;
  }

  #ring(shard: number, bound: boolean): Ring {
    const { bound: boundRing, submissions } = this.#rings[shard];
    return bound ? boundRing : submissions;
  }

  /** Entries of this thread in the rings of `shard`, stale ones included. */
  queued(shard: number): number {
    const { submissions, bound } = this.#rings[shard];
    return submissions.length + bound.length;
  }

  /** The slot that has been queued longest in one of the rings of `shard`, or -1. */
  oldest(shard: number, bound: boolean): number {
    const { slotsAddress, slotStride } = this.#map;
    const owner = bound ? boundTo(shard) : submittedTo(shard);
    return this.#core.wasm.slotOldest(this.#ring(shard, bound).address, owner, slotsAddress, slotStride);
  }

  /** Wakes the other HTTP threads that are parked. */
  ringOthers(): void {
    for (const doorbell of this.#otherDoorbells) this.#core.wasm.doorbellRing(doorbell);
  }

  /** Whether one of `shards` has completed a slot that was not polled yet. */
  hasCompletions(shards: readonly number[]): boolean {
    return shards.some((shard) => this.#rings[shard].completions.length > 0);
  }

  /** Takes up to MAX_BATCH slots from the completion ring of `shard`. Returns how many; `polled` returns which. */
  poll(shard: number): number {
    return this.#rings[shard].completions.poll(this.#polled);
  }

  /** The slot at `position` of the latest poll. */
  polled(position: number): number {
    return this.#polled[position];
  }

  // ── doorbells ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether a shard sleeps although slots were submitted to it. An awake shard checks its rings itself before it parks. */
  get someSleep(): boolean {
    let sleeping = false;
    for (let shard = 0; shard < this.#given.length; shard++) {
      if (this.#given[shard] === 0) continue;
      if (this.words.isParked(shard)) sleeping = true;
      else this.#given[shard] = 0;
    }
    return sleeping;
  }

  /** Wakes sleeping shards to which slots were submitted. */
  ringDoorbells(): void {
    for (let shard = 0; shard < this.#given.length; shard++) {
      if (this.#given[shard] === 0) continue;
      this.#given[shard] = 0;
      this.words.wake(shard);
    }
  }

  /** Whether `shard` was given a slot since its doorbell was rung: it will not sleep for long. */
  isGiven(shard: number): boolean {
    return this.#given[shard] === 1;
  }

  // ── who owns a slot ─────────────────────────────────────────────────────────────────────────────────────────────

  /** The shard in whose ring the slot is queued, or -1. */
  waitsFor(slot: number): number {
    const owner = this.#owner(slot);
    return isWaiting(owner) ? owner >> OWNER_SHIFT : -1;
  }

  /** The shard that has claimed or started the slot, or -1. */
  heldBy(slot: number): number {
    const owner = this.#owner(slot);
    const state = owner & OWNER_STATE_MASK;
    return state === SLOT_CLAIMED_STATE || state === SLOT_STARTED_STATE ? owner >> OWNER_SHIFT : -1;
  }

  /** The shard that has started the slot, or -1. */
  startedBy(slot: number): number {
    const owner = this.#owner(slot);
    return (owner & OWNER_STATE_MASK) === SLOT_STARTED_STATE ? owner >> OWNER_SHIFT : -1;
  }

  /** The shard that has completed the slot, or -1. */
  completedBy(slot: number): number {
    const owner = this.#owner(slot);
    return (owner & OWNER_STATE_MASK) === SLOT_COMPLETED_STATE ? owner >> OWNER_SHIFT : -1;
  }

  /** Whether the slot belongs to this thread or is free. */
  isOwn(slot: number): boolean {
    const state = this.#owner(slot) & OWNER_STATE_MASK;
    return state === SLOT_HTTP_STATE || state === SLOT_FREE_STATE;
  }

  /** SUBMITTED or BOUND → HTTP, unless the slot was claimed. Its entry stays in the ring and is skipped. */
  recall(slot: number): boolean {
    const owner = this.#owner(slot);
    return isWaiting(owner) && this.#become(slot, owner);
  }

  /**
   * COMPLETED by `shard` → HTTP, together with the extent of its response. `false` if that shard has not completed it, or it was taken
   * over before.
   */
  takeOver(slot: number, shard: number): boolean {
    const index = this.#ownerIndex(slot);
    // Plain: once a shard has completed the slot the word is ours, and polling its ring, or its exit, has made it visible.
    if (this.#core.i32[index] !== (SLOT_COMPLETED_STATE | (shard << OWNER_SHIFT))) return false;
    this.#core.i32[index] = SLOT_HTTP_STATE;
    const extent = this.views[slot].responseExtent;
    if (extent !== NO_EXTENT) this.extents.takeOver(extent, shardOwned(shard));
    return true;
  }

  /** CLAIMED → HTTP. `false` if the slot is started, and stays with its shard, or was not claimed. */
  revoke(slot: number): boolean {
    const owner = this.#owner(slot);
    // Pairs with ShardSide.tryStart: one of the two wins.
    return (owner & OWNER_STATE_MASK) === SLOT_CLAIMED_STATE && this.#become(slot, owner);
  }

  /** CLAIMED or STARTED by `shard` → HTTP. Only after its thread has exited and its completions were taken over. */
  reclaim(slot: number, shard: number): boolean {
    // The extent of a response that it had begun still belongs to the shard; the control thread finds it.
    return this.heldBy(slot) === shard && this.#become(slot, this.#owner(slot));
  }

  #become(slot: number, from: number): boolean {
    return Atomics.compareExchange(this.#core.i32, this.#ownerIndex(slot), from, SLOT_HTTP_STATE) === from;
  }

  // ── when the handler was called ─────────────────────────────────────────────────────────────────────────────────

  /** When the handler of the slot was called, by the server's clock; or SLOT_NO_START. */
  startedAt(slot: number): number {
    return Atomics.load(this.#core.i32, this.#startedIndex(slot));
  }

  /** Marks a slot of this thread as not started, for its next request. */
  clearStart(slot: number): void {
    // Plain: the submission publishes it.
    this.#core.i32[this.#startedIndex(slot)] = SLOT_NO_START;
  }

  #startedIndex(slot: number): number {
    return (slotAddress(this.#map, slot) + SLOT_STARTED_AT_OFFSET) >> 2;
  }

  #owner(slot: number): number {
    return Atomics.load(this.#core.i32, this.#ownerIndex(slot));
  }

  #ownerIndex(slot: number): number {
    return (slotAddress(this.#map, slot) + SLOT_OWNER_OFFSET) >> 2;
  }
}

function isWaiting(owner: number): boolean {
  const state = owner & OWNER_STATE_MASK;
  return state === SLOT_SUBMITTED_STATE || state === SLOT_BOUND_STATE;
}

/** An array with an element for each slot of a range, at the slot's own index. */
export function bySlot<Of>({ first, end }: SlotRange, make: (slot: number) => Of): Of[] {
  return Array.from({ length: end }, (_, slot) => (slot < first ? undefined : make(slot)) as Of);
}
