import { SLOT_FREE_STATE, SLOT_HTTP_STATE, SLOT_OWNER_OFFSET } from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { type MemoryMap, slotAddress } from './memory-map.js';

/**
 * The slots of a group that nobody uses; a group cannot take the slots of another one. HTTP thread only: it alone takes
 * slots and gives them back.
 */
export class FreeSlots {
  readonly total: number;
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  // A stack, so that the slots in use are the ones that are warm in the cache.
  readonly #free: Int32Array;
  #count: number;

  /** The `total` slots from `first` on; all there are by default. */
  constructor(core: CoreMemory, map: MemoryMap, first = 0, total = map.slots) {
    this.total = total;
    this.#core = core;
    this.#map = map;
    this.#free = new Int32Array(total);
    for (let i = 0; i < total; i++) this.#free[i] = first + total - 1 - i;
    this.#count = total;
  }

  /** Slots that are still in use for a predecessor of this thread: each is free once it is released. */
  leaveOut(slots: readonly number[]): void {
    const taken = new Set(slots);
    const free = this.#free.filter((slot) => !taken.has(slot));
    this.#free.set(free);
    this.#count = free.length;
  }

  get free(): number {
    return this.#count;
  }

  /**
   * A slot that is now the HTTP thread's, or -1 if none is left.
   * @param reserved slots that have to be left
   */
  take(reserved = 0): number {
    if (this.#count <= reserved) return -1;
    const slot = this.#free[--this.#count];
    // Plain: no other thread looks at a slot that is not in a ring.
    this.#core.i32[this.#ownerIndex(slot)] = SLOT_HTTP_STATE;
    return slot;
  }

  release(slot: number): void {
    this.#core.i32[this.#ownerIndex(slot)] = SLOT_FREE_STATE;
    this.#free[this.#count++] = slot;
  }

  #ownerIndex(slot: number): number {
    return (slotAddress(this.#map, slot) + SLOT_OWNER_OFFSET) >> 2;
  }
}
