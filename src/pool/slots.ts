import { SLOT_FREE_STATE, SLOT_HTTP_STATE, SLOT_OWNER_OFFSET } from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { type Plan, slotAddress } from './plan.js';

/** The slots nobody uses. HTTP thread only: it alone takes slots and gives them back. */
export class SlotStack {
  readonly #core: CoreMemory;
  readonly #plan: Plan;
  // A stack, so that the slots in use are the ones that are warm in the cache.
  readonly #free: Int32Array;
  #count: number;

  constructor(core: CoreMemory, plan: Plan) {
    this.#core = core;
    this.#plan = plan;
    this.#free = new Int32Array(plan.slots);
    for (let i = 0; i < plan.slots; i++) this.#free[i] = plan.slots - 1 - i;
    this.#count = plan.slots;
  }

  get free(): number {
    return this.#count;
  }

  /** A slot that is now the HTTP thread's, or -1 if all are in use. */
  take(): number {
    if (this.#count === 0) return -1;
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
    return (slotAddress(this.#plan, slot) + SLOT_OWNER_OFFSET) >> 2;
  }
}
