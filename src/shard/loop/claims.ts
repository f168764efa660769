import {
  COUNTER_BATCHES_OFFSET,
  COUNTER_STEALS_OFFSET,
  SHARD_BATCH_OFFSET,
  SHARD_PERMITS_OFFSET,
} from '../../../assembly/layout.js';
import { boundTo, shardAddresses, submittedTo } from '../../contract/memory-map.js';
import type { ShardContext } from '../context.js';

/** How long the slots of one claim may take to be started: what waits behind them waits in the ring, for whoever is free. */
const CLAIM_US = 1_000;
/** What a start is thought to take before any was seen: then a claim has 8 slots. */
const UNKNOWN_US = CLAIM_US / 8;
/** A slow start counts at once, a faster one by this part: claims grow again after some hundred starts. */
const DECAY = 1 / 64;

/** What a shard takes out of the rings: its own, and if those are empty, those of the others of its group. Shard. */
export class Claims {
  readonly #context: ShardContext;
  readonly #maxClaim: number;
  readonly #victims: readonly { submissions: number; submitted: number }[];
  readonly #sharers: number;
  readonly #semaphore: number;
  readonly #batch: number;
  /** Microseconds for which a start keeps the thread: of the slowest lately. */
  #startUs = UNKNOWN_US;
  #boundFirst = false;

  constructor(context: ShardContext, options: { batch: number; steal: boolean }) {
    const { plan, addresses, shard, group } = context;
    this.#context = context;
    this.#maxClaim = options.batch;
    const others = Array.from({ length: group.count }, (_, i) => group.first + i).filter((other) => other !== shard);
    this.#victims = (options.steal ? others : []).map((other) => ({
      submissions: shardAddresses(plan, other).submissions,
      submitted: submittedTo(other),
    }));
    this.#sharers = 1 + this.#victims.length;
    this.#semaphore = addresses.control + SHARD_PERMITS_OFFSET;
    this.#batch = addresses.control + SHARD_BATCH_OFFSET;
  }

  /** Something waits in the shard's own rings. */
  hasWork(): boolean {
    const { core, addresses } = this.#context;
    return core.wasm.ringLength(addresses.submissions) > 0 || core.wasm.ringLength(addresses.bound) > 0;
  }

  /** Permits that are left. */
  get permits(): number {
    return this.#context.core.wasm.semaphoreAvailable(this.#semaphore);
  }

  /** Claims from the shard's own rings, in turns which one comes first. Returns how many slots are in hand. */
  claim(): number {
    const { addresses, shard } = this.#context;
    const { submissions, bound } = addresses;
    this.#boundFirst = !this.#boundFirst;
    let count = this.#boundFirst ? this.#claimFrom(bound, boundTo(shard), 1) : 0;
    if (count === 0) count = this.#claimFrom(submissions, submittedTo(shard), this.#sharers);
    if (count === 0 && !this.#boundFirst) count = this.#claimFrom(bound, boundTo(shard), 1);
    return count;
  }

  /** Claims half of what waits in the fullest ring of the group's other shards. Returns how many slots are in hand. */
  steal(): number {
    const { wasm } = this.#context.core;
    let fullest: { submissions: number; submitted: number } | undefined;
    let most = 0;
    for (const victim of this.#victims) {
      const length = wasm.ringLength(victim.submissions);
      if (length <= most) continue;
      fullest = victim;
      most = length;
    }
    if (fullest === undefined) return 0;
    const count = this.#claimFrom(fullest.submissions, fullest.submitted, 2);
    if (count > 0) this.#context.counters.add(COUNTER_STEALS_OFFSET, count);
    return count;
  }

  /** The slot at `position` of what is in hand. */
  slot(position: number): number {
    return this.#context.core.i32[(this.#batch >> 2) + position];
  }

  /** A start has kept the thread for `us` microseconds. */
  learn(us: number): void {
    this.#startUs += us > this.#startUs ? us - this.#startUs : (us - this.#startUs) * DECAY;
  }

  #claimFrom(ring: number, submitted: number, sharers: number): number {
    const { core, plan, shard, counters, times } = this.#context;
    const most = Math.max(1, Math.min(this.#maxClaim, CLAIM_US / this.#startUs));
    const count = core.wasm.slotClaimPermitted(
      this.#semaphore,
      ring,
      submitted,
      plan.slotsAddress,
      plan.slotStride,
      shard,
      this.#batch,
      most,
      sharers,
    );
    if (count === 0) return 0;
    counters.add(COUNTER_BATCHES_OFFSET, 1);
    times.recordBatch(count);
    return count;
  }
}
