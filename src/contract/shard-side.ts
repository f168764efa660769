import {
  OWNER_SHIFT,
  SLOT_BOUND_STATE,
  SLOT_CLAIMED_STATE,
  SLOT_OWNER_OFFSET,
  SLOT_STARTED_AT_OFFSET,
  SLOT_STARTED_STATE,
  SLOT_SUBMITTED_STATE,
} from '../../assembly/layout.js';
import { elapsedUs } from '../core/clock.js';
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

/** The owner word of a slot that is queued in the submission ring of `shard`. */
export function submittedTo(shard: number): number {
  return SLOT_SUBMITTED_STATE | (shard << OWNER_SHIFT);
}

/** The owner word of a slot that is queued in the bound ring of `shard`, from which no other shard claims. */
export function boundTo(shard: number): number {
  return SLOT_BOUND_STATE | (shard << OWNER_SHIFT);
}

/** Queued requests whose waiting times are added up one by one. Of more, each n-th stands for n. */
const MOST_WAITING = 256;

/** A shard whose submissions may be claimed, with its rings. */
interface Source {
  shard: number;
  /** By HTTP thread. */
  rings: readonly PairRings[];
}

/**
 * A shard's side of the contract: how it takes ownership of slots and gives them back. On a shard, owner words and started words are
 * changed only here and in the WASM functions that this class calls. For the shard's thread.
 */
export class ShardSide {
  readonly shard: number;
  readonly extents: Extents;
  readonly #core: CoreMemory;
  readonly #map: MemoryMap;
  readonly #own: Source;
  readonly #others: readonly Source[];
  /** How many shards claim from its ring at a time, at most. */
  readonly #sharers: number;
  /** The permits of this shard. */
  readonly permits: Semaphore;
  /** Where claims write the slots that they take. */
  readonly #batch: number;
  /** Index of the words that count steals, by shard. */
  readonly #stolen: number;
  readonly #doorbells: readonly number[];
  /** Doorbells of the earlier shards of the group. */
  readonly #before: readonly Doorbell[];
  readonly #views: (SlotView | undefined)[];
  readonly #slotsOfHttp: number;
  /** The HTTP thread whose rings are checked first. */
  #turn = 0;
  #boundFirst = false;

  /**
   * @param others shards whose submissions it may claim
   * @param group its first number, and how many of its shards run at a time
   */
  constructor(
    core: CoreMemory,
    map: MemoryMap,
    shard: number,
    others: readonly number[],
    { first, most } = { first: shard, most: 1 + others.length },
  ) {
    this.#core = core;
    this.#map = map;
    this.shard = shard;
    this.extents = new Extents(core, map, shardOwned(shard));
    const { permits, batch, stolen } = shardAddresses(map, shard);
    this.permits = Semaphore.attach(core, permits);
    this.#batch = batch;
    this.#stolen = stolen >> 2;
    const source = (number: number): Source => ({
      shard: number,
      rings: Array.from({ length: map.httpThreads }, (_, http) => attachRings(core, map, http, number, batch)),
    });
    this.#own = source(shard);
    this.#others = others.map(source);
    this.#sharers = others.length === 0 ? 1 : most;
    this.#before = Array.from({ length: shard - first }, (_, i) =>
      Doorbell.attach(core, shardAddresses(map, first + i).doorbell),
    );
    this.#doorbells = Array.from({ length: map.httpThreads }, (_, http) => httpAddresses(map, http).doorbell);
    this.#views = new Array(map.slots).fill(undefined);
    this.#slotsOfHttp = map.slots / map.httpThreads;
  }

  /** Whether no earlier shard of the group, to which requests go first, is awake. */
  get isFirstAwake(): boolean {
    return this.#before.every(({ parked }) => parked);
  }

  /** The words of a slot that this shard owns. */
  view(slot: number): SlotView {
    return (this.#views[slot] ??= new SlotView(this.#core, this.#map, slot));
  }

  // ── claim: SUBMITTED or BOUND → CLAIMED ─────────────────────────────────────────────────────────────────────────

  /** Whether a slot is queued in the shard's own rings. */
  hasWork(): boolean {
    for (const { submissions, bound } of this.#own.rings) {
      if (submissions.length > 0 || bound.length > 0) return true;
    }
    return false;
  }

  /**
   * Claims up to `most` slots from the shard's own rings, with a permit for each: its share among the shards that may claim from them,
   * but at least `least`. HTTP threads take turns, and so do bound and other submissions. Returns how many; `claimed` returns which.
   */
  claim(most: number, least: number): number {
    const { rings } = this.#own;
    this.#boundFirst = !this.#boundFirst;
    for (let i = 0; i < rings.length; i++) {
      const { submissions, bound } = rings[this.#turn];
      if (++this.#turn === rings.length) this.#turn = 0;
      let count = this.#boundFirst ? this.#claimFrom(bound, boundTo(this.shard), most, 1, 1) : 0;
      if (count === 0) count = this.#claimFrom(submissions, submittedTo(this.shard), most, this.#sharers, least);
      if (count === 0 && !this.#boundFirst) count = this.#claimFrom(bound, boundTo(this.shard), most, 1, 1);
      if (count > 0) return count;
    }
    return 0;
  }

  /** Claims half of the slots in the fullest ring of the other shards. Returns how many; `claimed` returns which. */
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
    if (ring === undefined) return 0;
    const count = this.#claimFrom(ring, submittedTo(victim), most, 2, 1);
    // Only this thread writes the word.
    this.#core.i32[this.#stolen + victim] += count;
    return count;
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

  /** The slot at `position` of the latest claim. */
  claimed(position: number): number {
    return this.#core.i32[(this.#batch >> 2) + position];
  }

  /**
   * How long requests have waited for this shard between two times of the server's clock, added up: those queued in its own rings, and those
   * claimed at the positions from `next` on, up to `end`. In microseconds.
   */
  waitedUs(from: number, to: number, next: number, end: number): number {
    let sum = 0;
    for (const { submissions, bound } of this.#own.rings) {
      sum += this.#waitedIn(submissions, submittedTo(this.shard), from, to);
      sum += this.#waitedIn(bound, boundTo(this.shard), from, to);
    }
    const claimed = SLOT_CLAIMED_STATE | (this.shard << OWNER_SHIFT);
    for (let position = next; position < end; position++) {
      const slot = this.claimed(position);
      // The HTTP thread may have revoked the claim.
      if (Atomics.load(this.#core.i32, this.#ownerIndex(slot)) !== claimed) continue;
      sum += Math.max(0, Math.min(to - from, elapsedUs(to, this.view(slot).submittedAt)));
    }
    return sum;
  }

  #waitedIn({ address }: Ring, submitted: number, from: number, to: number): number {
    const { slotsAddress, slotStride } = this.#map;
    return this.#core.wasm.slotWaited(address, submitted, slotsAddress, slotStride, from, to, MOST_WAITING);
  }

  // ── start: CLAIMED → STARTED ────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes ownership of a claimed slot; the shard must not touch it before.
   * @returns `false` if the HTTP thread has revoked the claim: only its permit is left
   */
  tryStart(slot: number): boolean {
    const claimed = SLOT_CLAIMED_STATE | (this.shard << OWNER_SHIFT);
    const started = SLOT_STARTED_STATE | (this.shard << OWNER_SHIFT);
    // Pairs with HttpSide.revoke: one of the two wins.
    return Atomics.compareExchange(this.#core.i32, this.#ownerIndex(slot), claimed, started) === claimed;
  }

  /**
   * Records that the handler of a started slot is about to be called. Call it first: after an exit, it decides whether the handler was
   * called.
   * @param now microseconds of the server's clock
   */
  calling(slot: number, now: number): void {
    // Odd, so that no time equals SLOT_NO_START. Plain: the thread's exit makes it visible, and deadlines may see it late.
    this.#core.i32[(slotAddress(this.#map, slot) + SLOT_STARTED_AT_OFFSET) >> 2] = now | 1;
  }

  // ── complete: STARTED → COMPLETED ───────────────────────────────────────────────────────────────────────────────

  /**
   * Gives a started slot back to its HTTP thread, and rings. From then on the HTTP thread owns the slot's response words and the
   * extent that they name.
   * @param hasPermit whether its permit was not released yet
   * @returns `false` if this shard does not own the slot; then nothing changes
   */
  complete(slot: number, hasPermit: boolean): boolean {
    const { wasm } = this.#core;
    const { slotsAddress, slotStride } = this.#map;
    const http = (slot / this.#slotsOfHttp) | 0;
    const { completions } = this.#own.rings[http];
    const permits = hasPermit ? this.permits.address : 0;
    if (wasm.slotComplete(completions.address, slotsAddress, slotStride, this.shard, slot, permits) === 0) return false;
    // Immediately and not after the batch: the next handler may be slow. The call is expensive only if the HTTP thread is parked.
    wasm.doorbellRing(this.#doorbells[http]);
    return true;
  }

  #ownerIndex(slot: number): number {
    return (slotAddress(this.#map, slot) + SLOT_OWNER_OFFSET) >> 2;
  }
}
