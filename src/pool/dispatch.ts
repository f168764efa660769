/** Which shard a request goes to. HTTP thread only. */
export interface DispatchPolicy {
  /** The shard to submit to, or -1 if none is ready. */
  pick(load: ShardLoad): number;
}

/** What policies see of the shards, by shard number. */
export interface ShardLoad {
  /** Requests submitted and not yet given back. */
  outstanding: Int32Array;
  /** 1 for a shard that takes requests. */
  ready: Uint8Array;
}

/** The shard with the fewest outstanding requests; of equals, the next one in turn. */
class LeastLoaded implements DispatchPolicy {
  #turn = 0;

  pick({ outstanding, ready }: ShardLoad): number {
    const count = ready.length;
    let best = -1;
    for (let i = 0, shard = this.#turn; i < count; i++) {
      if (ready[shard] === 1 && (best < 0 || outstanding[shard] < outstanding[best])) best = shard;
      if (++shard === count) shard = 0;
    }
    if (++this.#turn >= count) this.#turn = 0;
    return best;
  }
}

class RoundRobin implements DispatchPolicy {
  #turn = 0;

  pick({ ready }: ShardLoad): number {
    for (let i = 0; i < ready.length; i++) {
      this.#turn = (this.#turn + 1) % ready.length;
      if (ready[this.#turn] === 1) return this.#turn;
    }
    return -1;
  }
}

export const DISPATCH_POLICIES = {
  'least-loaded': () => new LeastLoaded(),
  'round-robin': () => new RoundRobin(),
} satisfies Record<string, () => DispatchPolicy>;

export type DispatchName = keyof typeof DISPATCH_POLICIES;
