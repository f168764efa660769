import { COUNTER_BATCHES_OFFSET, COUNTER_STEALS_OFFSET } from '../../../assembly/layout.js';
import type { ShardContext } from '../context.js';

/** How long the slots of one claim may take to be started: what waits behind them waits in the ring, for whoever is free. */
const CLAIM_US = 1_000;
/** What is started sooner than another shard could be awake is not left to it; but few, since one of them may be slow. */
const SOON_US = 50;
const FEW = 8;
/** What a start is thought to take before any was seen: then a claim has 8 slots. */
const UNKNOWN_US = CLAIM_US / 8;
/** A slow start counts at once, a faster one by this part: claims grow again after some hundred starts. */
const DECAY = 1 / 64;

/** How much a shard takes out of the rings at once: what it can start within a millisecond. Shard. */
export class Claims {
  readonly #context: ShardContext;
  readonly #maxClaim: number;
  /** Microseconds for which a start keeps the thread: of the slowest lately. */
  #startUs = UNKNOWN_US;

  /** @param maxClaim slots of one claim at the most */
  constructor(context: ShardContext, maxClaim: number) {
    this.#context = context;
    this.#maxClaim = maxClaim;
  }

  /** Claims from the shard's own rings. Returns how many slots are in hand. */
  claim(): number {
    return this.#count(this.#context.side.claim(this.#most(CLAIM_US), Math.min(FEW, this.#most(SOON_US))));
  }

  /** Claims from the rings of the group's other shards. Returns how many slots are in hand. */
  steal(): number {
    const count = this.#count(this.#context.side.steal(this.#most(CLAIM_US)));
    if (count > 0) this.#context.counters.add(COUNTER_STEALS_OFFSET, count);
    return count;
  }

  /** A start has kept the thread for `us` microseconds. */
  learn(us: number): void {
    this.#startUs += us > this.#startUs ? us - this.#startUs : (us - this.#startUs) * DECAY;
  }

  /** How many slots are started within `us` microseconds. */
  #most(us: number): number {
    return Math.max(1, Math.min(this.#maxClaim, us / this.#startUs));
  }

  #count(slots: number): number {
    if (slots === 0) return 0;
    this.#context.counters.add(COUNTER_BATCHES_OFFSET, 1);
    this.#context.times.recordBatch(slots);
    return slots;
  }
}
