import type { Dispatch, Group } from '../../options/scheduling.js';

/** Which shard of a group a request goes to. HTTP thread only. */
export interface DispatchPolicy {
  /**
   * The shard to submit to, or -1 if none is ready.
   * @param hash of the request's route or key, for policies that go by it
   */
  pick(load: ShardLoad, hash: number): number;
}

/** What policies see of the shards, by shard number. */
export interface ShardLoad {
  /** Requests submitted and not yet given back. */
  outstanding: Int32Array;
  /** 1 for a shard that takes requests. */
  ready: Uint8Array;
}

/** The shards of a group, one after the other, and then from the first one on again. */
class Turns {
  readonly count: number;
  readonly #first: number;
  readonly #end: number;
  #turn: number;

  constructor({ first, count }: Group) {
    this.count = count;
    this.#first = first;
    this.#end = first + count;
    this.#turn = first;
  }

  /** The shard whose turn it is; then it is the next one's. */
  take(): number {
    const shard = this.#turn;
    this.#turn = this.after(shard);
    return shard;
  }

  after(shard: number): number {
    return shard + 1 === this.#end ? this.#first : shard + 1;
  }
}

/** The shard with the fewest outstanding requests; of equals, the next one in turn. */
class LeastLoaded implements DispatchPolicy {
  readonly #turns: Turns;

  constructor(group: Group) {
    this.#turns = new Turns(group);
  }

  pick({ outstanding, ready }: ShardLoad): number {
    let best = -1;
    let shard = this.#turns.take();
    for (let i = 0; i < this.#turns.count; i++) {
      if (ready[shard] === 1 && (best < 0 || outstanding[shard] < outstanding[best])) best = shard;
      shard = this.#turns.after(shard);
    }
    return best;
  }
}

class RoundRobin implements DispatchPolicy {
  readonly #turns: Turns;

  constructor(group: Group) {
    this.#turns = new Turns(group);
  }

  pick({ ready }: ShardLoad): number {
    for (let i = 0; i < this.#turns.count; i++) {
      const shard = this.#turns.take();
      if (ready[shard] === 1) return shard;
    }
    return -1;
  }
}

/**
 * Highest random weight: each shard has a weight for each hash, and the heaviest ready one is picked, so that a shard that
 * goes or comes moves its own share of the hashes only (Thaler and Ravishankar, 1998).
 */
class Rendezvous implements DispatchPolicy {
  readonly #first: number;
  readonly #end: number;

  constructor({ first, count }: Group) {
    this.#first = first;
    this.#end = first + count;
  }

  pick({ ready }: ShardLoad, hash: number): number {
    let best = -1;
    let heaviest = -1;
    for (let shard = this.#first; shard < this.#end; shard++) {
      if (ready[shard] === 0) continue;
      const weight = mix(hash ^ Math.imul(shard - this.#first + 1, GOLDEN)) >>> 0;
      if (weight <= heaviest) continue;
      best = shard;
      heaviest = weight;
    }
    return best;
  }
}

/** 2³² divided by the golden ratio: neighbouring numbers become far apart. */
const GOLDEN = 0x9e3779b1;

/** Each bit of the result depends on each bit of `value`: the finalizer of MurmurHash3 (Appleby). */
function mix(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** FNV-1a over UTF-16 units (Fowler, Noll, Vo), 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** A policy of its own for a group; `{ key }` is rendezvous for requests that have the key. */
export function createPolicy(dispatch: Dispatch, group: Group): DispatchPolicy {
  if (dispatch === 'least-loaded') return new LeastLoaded(group);
  if (dispatch === 'round-robin') return new RoundRobin(group);
  return new Rendezvous(group);
}
