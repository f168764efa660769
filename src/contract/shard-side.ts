import {
  OWNER_SHIFT,
  SLOT_BOUND_STATE,
  SLOT_CLAIMED_STATE,
  SLOT_OWNER_OFFSET,
  SLOT_STARTED_AT_OFFSET,
  SLOT_STARTED_STATE,
  SLOT_SUBMITTED_STATE,
} from '../../assembly/layout.js';
import { Doorbell } from '../core/doorbell.js';
import type { CoreMemory } from '../core/memory.js';
import type { Ring } from '../core/ring.js';
import { Semaphore } from '../core/semaphore.js';
import { Extents, shardOwned } from './extents.js';
import {
  attachRings,
  httpAddresses,
  type MemoryMap,
  type PairRings,
  shardAddresses,
  slotAddress,
} from './memory-map.js';
import { SlotView } from './slot-view.js';

/** The owner word of a slot in the submission ring of `shard`. */
export function submittedTo(shard: number): number {
  return SLOT_SUBMITTED_STATE | (shard << OWNER_SHIFT);
}

/** The owner word of a slot in the ring of `shard` that no other shard claims from. */
export function boundTo(shard: number): number {
  return SLOT_BOUND_STATE | (shard << OWNER_SHIFT);
}

/** A shard whose submissions may be claimed, and its rings. */
interface Source {
  shard: number;
  /** For each HTTP thread. */
  rings: readonly PairRings[];
}

/**
 * A shard's side of the contract: how slots become its own, and how it gives them back. Everything that changes an owner
 * word or a started word on a shard is in here or in the WASM functions that it calls. For the shard's thread.
 */
export class ShardSide {
  readonly shard: number;
  readonly extents: Extents;
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #own: Source;
  readonly #others: readonly Source[];
  /** The permits of this shard. */
  readonly permits: Semaphore;
  /** Where claims write the slots they took. */
  readonly #batch: number;
  readonly #doorbells: readonly number[];
  /** Of the shards of the group before this one. */
  readonly #before: readonly Doorbell[];
  readonly #views: (SlotView | undefined)[];
  readonly #slotsOfHttp: number;
  /** Which HTTP thread's rings are looked at first. */
  #turn = 0;
  #boundFirst = false;

  /**
   * @param others shards whose submissions it may claim
   * @param first the first shard of its group
   */
  constructor(core: CoreMemory, map: MemoryMap, shard: number, others: readonly number[], first = shard) {
    this.#core = core;
    this.#map = map;
    this.shard = shard;
    this.extents = new Extents(core, map, shardOwned(shard));
    const { permits, batch } = shardAddresses(map, shard);
    this.permits = Semaphore.attach(core, permits);
    this.#batch = batch;
    const source = (number: number): Source => ({
      shard: number,
      rings: Array.from({ length: map.httpThreads }, (_, http) => attachRings(core, map, http, number, batch)),
    });
    this.#own = source(shard);
    this.#others = others.map(source);
    this.#before = Array.from({ length: shard - first }, (_, i) =>
      Doorbell.attach(core, shardAddresses(map, first + i).doorbell),
    );
    this.#doorbells = Array.from({ length: map.httpThreads }, (_, http) => httpAddresses(map, http).doorbell);
    this.#views = new Array(map.slots).fill(undefined);
    this.#slotsOfHttp = map.slots / map.httpThreads;
  }

  /** No shard is awake that requests go to before this one. */
  get isFirstAwake(): boolean {
    return this.#before.every(({ parked }) => parked);
  }

  /** The words of a slot that is this shard's. */
  view(slot: number): SlotView {
    return (this.#views[slot] ??= new SlotView(this.#core, this.#map, slot));
  }

  // ── claim: SUBMITTED or BOUND → CLAIMED ─────────────────────────────────────────────────────────────────────────

  /** Something waits in the shard's own rings. */
  hasWork(): boolean {
    for (const { submissions, bound } of this.#own.rings) {
      if (submissions.length > 0 || bound.length > 0) return true;
    }
    return false;
  }

  /**
   * Claims up to `most` slots of the shard's own rings, with a permit for each: one in so many as may claim from them, and `least`
   * in any case. HTTP threads take turns, and so do bound and other submissions. Returns how many; `claimed` tells which.
   */
  claim(most: number, least: number): number {
    const { rings } = this.#own;
    this.#boundFirst = !this.#boundFirst;
    for (let i = 0; i < rings.length; i++) {
      const { submissions, bound } = rings[this.#turn];
      if (++this.#turn === rings.length) this.#turn = 0;
      let count = this.#boundFirst ? this.#claimFrom(bound, boundTo(this.shard), most, 1, 1) : 0;
      if (count === 0)
        count = this.#claimFrom(submissions, submittedTo(this.shard), most, 1 + this.#others.length, least);
      if (count === 0 && !this.#boundFirst) count = this.#claimFrom(bound, boundTo(this.shard), most, 1, 1);
      if (count > 0) return count;
    }
    return 0;
  }

  /** Claims half of what waits in the fullest ring of the other shards. Returns how many; `claimed` tells which. */
  steal(most: number): number {
    let victim = -1;
    let ring: Ring | undefined;
    let longest = 0;
    for (const { shard, rings } of this.#others) {
      for (const { submissions } of rings) {
        const { length } = submissions;
        if (length <= longest) continue;
        longest = length;
        victim = shard;
        ring = submissions;
      }
    }
    return ring === undefined ? 0 : this.#claimFrom(ring, submittedTo(victim), most, 2, 1);
  }

  #claimFrom(ring: Ring, submitted: number, most: number, sharers: number, least: number): number {
    const { slotsAddress, slotStride } = this.#map;
    return this.#core.wasm.slotClaimPermitted(
      this.permits.address,
      ring.address,
      submitted,
      slotsAddress,
      slotStride,
      this.shard,
      this.#batch,
      most,
      sharers,
      least,
    );
  }

  /** The slot at `position` of those that were claimed last. */
  claimed(position: number): number {
    return this.#core.i32[(this.#batch >> 2) + position];
  }

  // ── start: CLAIMED → STARTED ────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes a claimed slot this shard's alone; before that, the shard does not touch it.
   * @returns `false` if the HTTP thread has taken it back: what is left of the claim is its permit
   */
  tryStart(slot: number): boolean {
    const claimed = SLOT_CLAIMED_STATE | (this.shard << OWNER_SHIFT);
    const started = SLOT_STARTED_STATE | (this.shard << OWNER_SHIFT);
    // Pairs with HttpSide.revoke: one of the two wins.
    return Atomics.compareExchange(this.#core.i32, this.#ownerIndex(slot), claimed, started) === claimed;
  }

  /**
   * Says that the handler of a started slot is called now. Before the call: whoever takes the slot back from a thread that has
   * exited goes by it.
   * @param now microseconds of the server's clock
   */
  calling(slot: number, now: number): void {
    // Odd, so that no time is SLOT_NO_START. Plain: the thread's exit makes it visible, and deadlines may see it late.
    this.#core.i32[(slotAddress(this.#map, slot) + SLOT_STARTED_AT_OFFSET) >> 2] = now | 1;
  }

  // ── complete: STARTED → COMPLETED ───────────────────────────────────────────────────────────────────────────────

  /**
   * Gives a started slot back to its HTTP thread, and rings. What the slot says of the response, and the extent that it names,
   * are the HTTP thread's from now on.
   * @param hasPermit the permit that it came with was not given back yet
   * @returns `false` if the slot is not this shard's: nothing has changed
   */
  complete(slot: number, hasPermit: boolean): boolean {
    const { wasm } = this.#core;
    const { slotsAddress, slotStride } = this.#map;
    const http = (slot / this.#slotsOfHttp) | 0;
    const { completions } = this.#own.rings[http];
    const permits = hasPermit ? this.permits.address : 0;
    if (wasm.slotComplete(completions.address, slotsAddress, slotStride, this.shard, slot, permits) === 0) return false;
    // At once and not behind the batch: the next handler may be a slow one. Only a parked HTTP thread costs a call.
    wasm.doorbellRing(this.#doorbells[http]);
    return true;
  }

  #ownerIndex(slot: number): number {
    return (slotAddress(this.#map, slot) + SLOT_OWNER_OFFSET) >> 2;
  }
}
