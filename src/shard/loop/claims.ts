import { COUNTER_BATCHES_OFFSET, COUNTER_STEALS_OFFSET } from '../../../assembly/layout.js';
import type { ShardContext } from '../context.js';
import type { ThreadTime } from './thread-time.js';

/** Time to start the slots of one claim, at most. Other requests stay in the ring, where any free shard can take them. */
const CLAIM_US = 1_000;
/** Slots that start within this time are not left to other shards, which need as long to wake up. At most `FEW`, since one may be slow. */
const SOON_US = 50;
const FEW = 8;
/** Assumed time of a start before the first measurement: a claim then has 8 slots. */
const UNKNOWN_US = CLAIM_US / 8;
/** A slow start counts fully, a faster one with this weight: claims grow again after a few hundred starts. */
const DECAY = 1 / 64;

/**
 * Decides how many slots a shard claims at a time: as many as it can start within a millisecond, with what their handlers do after an
 * `await`. Shard only.
 */
export class Claims {
  readonly #context: ShardContext;
  readonly #maxClaim: number;
  readonly #threadTime: ThreadTime;
  /** How long a start occupies the thread, in microseconds; dominated by recent slow ones. */
  #startUs = UNKNOWN_US;

  /** @param maxClaim maximum number of slots of one claim */
  constructor(context: ShardContext, maxClaim: number, threadTime: ThreadTime) {
    this.#context = context;
    this.#maxClaim = maxClaim;
    this.#threadTime = threadTime;
  }

  /** Claims from the shard's own rings. Returns the number of slots claimed. */
  claim(): number {
    return this.#count(this.#context.side.claim(this.#most(CLAIM_US), Math.min(FEW, this.#most(SOON_US))));
  }

  /** Claims from the rings of the group's other shards. Returns the number of slots claimed. */
  steal(): number {
    const count = this.#count(this.#context.side.steal(this.#most(CLAIM_US)));
    if (count > 0) this.#context.counters.add(COUNTER_STEALS_OFFSET, count);
    return count;
  }

  /** Records that a start occupied the thread for `us` microseconds. */
  learn(us: number): void {
    this.#startUs += us > this.#startUs ? us - this.#startUs : (us - this.#startUs) * DECAY;
  }

  /** Number of slots whose requests take at most `us` microseconds together. */
  #most(us: number): number {
    return Math.max(1, Math.min(this.#maxClaim, us / Math.max(this.#startUs, this.#threadTime.meanUs)));
  }

  #count(slots: number): number {
    if (slots === 0) return 0;
    this.#context.counters.add(COUNTER_BATCHES_OFFSET, 1);
    this.#context.times.recordBatch(slots);
    return slots;
  }
}
