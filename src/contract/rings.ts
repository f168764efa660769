import {
  DOORBELL_PARKED_OFFSET,
  SHARD_DOORBELL_OFFSET,
  SLOT_BOUND_STATE,
  SLOT_CLAIMED_STATE,
  SLOT_COMPLETED_STATE,
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_HTTP_STATE,
  SLOT_NO_START,
  SLOT_OWNER_OFFSET,
  SLOT_OWNER_SHIFT,
  SLOT_REVOKED_START,
  SLOT_STARTED_AT_OFFSET,
  SLOT_SUBMITTED_STATE,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { boundTo, type Plan, shardAddresses, slotAddress, submittedTo } from './memory-map.js';

const STATE_MASK = (1 << SLOT_OWNER_SHIFT) - 1;

/** The rings and doorbells of all shards, and who owns which slot, as the HTTP thread sees them. */
export class Rings {
  readonly #core: CoreMemory;
  readonly #plan: Plan;
  readonly #addresses: ReturnType<typeof shardAddresses>[];
  /** Shards that were given something since their doorbells were rung. */
  readonly #given: Uint8Array;

  constructor(core: CoreMemory, plan: Plan) {
    this.#core = core;
    this.#plan = plan;
    this.#addresses = Array.from({ length: plan.shards }, (_, shard) => shardAddresses(plan, shard));
    this.#given = new Uint8Array(plan.shards);
  }

  addresses(shard: number): ReturnType<typeof shardAddresses> {
    return this.#addresses[shard];
  }

  /**
   * Passes a slot that the HTTP thread has filled to `shard`.
   * @param bound no other shard may claim it
   * @returns how many slots wait in that ring now, or 0 if it is full
   */
  submit(slot: number, shard: number, bound: boolean): number {
    const { slotsAddress, slotStride } = this.#plan;
    const ring = this.#ring(shard, bound);
    const owner = bound ? boundTo(shard) : submittedTo(shard);
    const { wasm } = this.#core;
    let length = wasm.slotSubmit(ring, owner, slotsAddress, slotStride, slot);
    if (length === 0) {
      // Full of slots that were taken back, perhaps: looking for the oldest one leaves those behind.
      wasm.slotOldest(ring, owner, slotsAddress, slotStride);
      length = wasm.slotSubmit(ring, owner, slotsAddress, slotStride, slot);
    }
    if (length > 0) this.#given[shard] = 1;
    return length;
  }

  #ring(shard: number, bound: boolean): number {
    const { bound: boundRing, submissions } = this.#addresses[shard];
    return bound ? boundRing : submissions;
  }

  /** Slots that wait for `shard`. */
  queued(shard: number): number {
    const { submissions, bound } = this.#addresses[shard];
    return this.#core.wasm.ringLength(submissions) + this.#core.wasm.ringLength(bound);
  }

  /** The slot that has waited longest in one of the rings of `shard`, or -1. */
  oldest(shard: number, bound: boolean): number {
    const { slotsAddress, slotStride } = this.#plan;
    const owner = bound ? boundTo(shard) : submittedTo(shard);
    return this.#core.wasm.slotOldest(this.#ring(shard, bound), owner, slotsAddress, slotStride);
  }

  hasCompletions(): boolean {
    return this.#addresses.some(({ completions }) => this.#core.wasm.ringLength(completions) > 0);
  }

  // ── doorbells ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Does a shard sleep over what was submitted? One that is awake looks for itself before it parks. */
  get someSleep(): boolean {
    let sleeping = false;
    for (let shard = 0; shard < this.#given.length; shard++) {
      if (this.#given[shard] === 0) continue;
      if (this.isParked(shard)) sleeping = true;
      else this.#given[shard] = 0;
    }
    return sleeping;
  }

  /** Wakes the shards that sleep over what was submitted. */
  ringDoorbells(): void {
    for (let shard = 0; shard < this.#given.length; shard++) {
      if (this.#given[shard] === 0) continue;
      this.#given[shard] = 0;
      this.wake(shard);
    }
  }

  /** Wakes `shard` if it is parked. */
  wake(shard: number): boolean {
    return this.#core.wasm.doorbellRing(this.#addresses[shard].control + SHARD_DOORBELL_OFFSET) === 1;
  }

  isParked(shard: number): boolean {
    return Atomics.load(this.#core.i32, this.#parkedIndex(shard)) === 1;
  }

  /** The shard's thread is gone: nobody is parked. */
  forgetParked(shard: number): void {
    Atomics.store(this.#core.i32, this.#parkedIndex(shard), 0);
  }

  #parkedIndex(shard: number): number {
    return (this.#addresses[shard].control + SHARD_DOORBELL_OFFSET + DOORBELL_PARKED_OFFSET) >> 2;
  }

  // ── who owns a slot ─────────────────────────────────────────────────────────────────────────────────────────────

  /** The shard whose ring the slot waits in, or -1. */
  waitsFor(slot: number): number {
    const owner = this.#owner(slot);
    return isWaiting(owner) ? owner >> SLOT_OWNER_SHIFT : -1;
  }

  /** The shard that has claimed the slot, or -1. */
  claimedBy(slot: number): number {
    const owner = this.#owner(slot);
    return (owner & STATE_MASK) === SLOT_CLAIMED_STATE ? owner >> SLOT_OWNER_SHIFT : -1;
  }

  /** The shard that has completed the slot, or -1. */
  completedBy(slot: number): number {
    const owner = this.#owner(slot);
    return (owner & STATE_MASK) === SLOT_COMPLETED_STATE ? owner >> SLOT_OWNER_SHIFT : -1;
  }

  /** Takes back a slot that was submitted, unless it was claimed. */
  recall(slot: number): boolean {
    const owner = this.#owner(slot);
    if (!isWaiting(owner)) return false;
    return Atomics.compareExchange(this.#core.i32, this.#ownerIndex(slot), owner, SLOT_HTTP_STATE) === owner;
  }

  /** Takes back a slot whose shard is gone, unless its handler was started. */
  takeBackUnstarted(slot: number): boolean {
    if (this.startedAt(slot) !== SLOT_NO_START) return false;
    Atomics.store(this.#core.i32, this.#ownerIndex(slot), SLOT_HTTP_STATE);
    return true;
  }

  /** Sees to it that the handler of a claimed slot is not started. `false` if it was; the slot stays the shard's either way. */
  revoke(slot: number): boolean {
    const index = (slotAddress(this.#plan, slot) + SLOT_STARTED_AT_OFFSET) >> 2;
    const before = Atomics.compareExchange(this.#core.i32, index, SLOT_NO_START, SLOT_REVOKED_START);
    return before === SLOT_NO_START || before === SLOT_REVOKED_START;
  }

  /** When the handler of the slot was started, by the server's clock; or a SLOT_*_START. */
  startedAt(slot: number): number {
    return Atomics.load(this.#core.i32, (slotAddress(this.#plan, slot) + SLOT_STARTED_AT_OFFSET) >> 2);
  }

  /** Takes over a slot that `shard` has completed. `false` if it has not, or was taken over before. */
  takeOver(slot: number, shard: number): boolean {
    const index = this.#ownerIndex(slot);
    if (this.#core.i32[index] !== (SLOT_COMPLETED_STATE | (shard << SLOT_OWNER_SHIFT))) return false;
    // Plain: the word is ours since the shard's store, which the poll of its ring has made visible.
    this.#core.i32[index] = SLOT_HTTP_STATE;
    return true;
  }

  /** The request in `slot` is a HEAD. */
  isHead(slot: number): boolean {
    return (this.#core.i32[(slotAddress(this.#plan, slot) + SLOT_FLAGS_OFFSET) >> 2] & SLOT_HEAD_REQUEST_FLAG) !== 0;
  }

  #owner(slot: number): number {
    return Atomics.load(this.#core.i32, this.#ownerIndex(slot));
  }

  #ownerIndex(slot: number): number {
    return (slotAddress(this.#plan, slot) + SLOT_OWNER_OFFSET) >> 2;
  }
}

function isWaiting(owner: number): boolean {
  const state = owner & STATE_MASK;
  return state === SLOT_SUBMITTED_STATE || state === SLOT_BOUND_STATE;
}
