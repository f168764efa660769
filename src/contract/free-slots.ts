import { SLOT_FREE_STATE, SLOT_HTTP_STATE, SLOT_OWNER_OFFSET } from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { type MemoryMap, slotAddress } from './memory-map.js';

/**
 * The free slots of a group, which no other group can take. HTTP thread only: no other thread takes slots or gives them back.
 */
export class FreeSlots {
  readonly total: number;
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  // A stack, so that the most recently used slots, which are warm in the cache, are reused first.
  readonly #free: Int32Array;
  #count: number;

  /** Manages `total` slots from `first` on; default: all slots. */
  constructor(core: CoreMemory, map: MemoryMap, first = 0, total = map.slots) {
    this.total = total;
    this.#core = core;
    this.#map = map;
    this.#free = new Int32Array(total);
    for (let i = 0; i < total; i++) this.#free[i] = first + total - 1 - i;
    this.#count = total;
  }

  /** Removes slots that the previous thread still uses; each becomes free when it is released. */
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
   * Takes a slot for the HTTP thread; -1 if none is left.
   * @param reserved number of slots that must remain free
   */
  take(reserved = 0): number {
    if (this.#count <= reserved) return -1;
    const slot = this.#free[--this.#count];
    // Plain: no other thread reads the owner word of a slot that is not in a ring.
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
