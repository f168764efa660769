import type { Dispatch, Group } from '../../options/scheduling.js';
import { type ShardLoad, WAKE_US } from './load.js';

/** Picks the shard of a group for a request. HTTP thread only. */
export interface DispatchPolicy {
  /** Whether another shard of the group may be used if the gate rejects the picked one. */
  readonly anyWillDo: boolean;
  /**
   * Picks the shard to submit to; -1 if none is ready.
   * @param ready 1 for each shard that may be picked
   * @param hash of the request's route or key, for policies that use it
   */
  pick(load: ShardLoad, ready: Uint8Array, hash: number): number;
}

/** The numbers of a group's shards, and how many run at a time. */
type Numbers = Pick<Group, 'first' | 'count' | 'most'>;

/** Iterates over the shards of a group in turn, over and over. */
class Turns {
  readonly count: number;
  readonly #first: number;
  readonly #end: number;
  #turn: number;

  constructor({ first, count }: Numbers) {
    this.count = count;
    this.#first = first;
    this.#end = first + count;
    this.#turn = first;
  }

  /** Returns the shard whose turn it is, and advances. */
  take(): number {
    const shard = this.#turn;
    this.#turn = this.#after(shard);
    return shard;
  }

  /** Returns the shard whose turn it is among those that are ready, or -1, and advances. */
  takeReady(ready: Uint8Array): number {
    for (let i = 0; i < this.count; i++) {
      const shard = this.take();
      if (ready[shard] === 1) return shard;
    }
    return -1;
  }

  /** The best shard that is ready, or -1; ties are broken in turn. */
  best(ready: Uint8Array, isBetter: (shard: number, best: number) => boolean): number {
    let best = this.takeReady(ready);
    let shard = best;
    for (let i = 1; i < this.count && best >= 0; i++) {
      shard = this.#after(shard);
      if (ready[shard] === 1 && isBetter(shard, best)) best = shard;
    }
    return best;
  }

  #after(shard: number): number {
    return shard + 1 === this.#end ? this.#first : shard + 1;
  }
}

/** For groups of one shard, whose number changes when it is replaced. */
class OnlyOne implements DispatchPolicy {
  readonly anyWillDo = false;
  readonly #turns: Turns;
  #shard: number;

  constructor(group: Numbers) {
    this.#turns = new Turns(group);
    this.#shard = group.first;
  }

  pick(_load: ShardLoad, ready: Uint8Array): number {
    if (ready[this.#shard] === 1) return this.#shard;
    const shard = this.#turns.takeReady(ready);
    if (shard >= 0) this.#shard = shard;
    return shard;
  }
}

/** Picks the shard with the fewest of what `count` returns; ties are broken in turn. */
class Fewest implements DispatchPolicy {
  readonly anyWillDo = true;
  readonly #turns: Turns;
  readonly #count: (load: ShardLoad, shard: number) => number;

  constructor(group: Numbers, count: (load: ShardLoad, shard: number) => number) {
    this.#turns = new Turns(group);
    this.#count = count;
  }

  pick(load: ShardLoad, ready: Uint8Array): number {
    return this.#turns.best(ready, (shard, best) => this.#count(load, shard) < this.#count(load, best));
  }
}

/**
 * Picks the first shard that is awake and can start the request soon; else wakes the first sleeping one that can; else picks the one that
 * can start it first, with ties broken in turn. So light load stays on a few shards, which claim full batches, and heavy load spreads
 * immediately. The waits are estimates, which stealing corrects.
 */
class AwakeFirst implements DispatchPolicy {
  readonly anyWillDo = true;
  readonly #first: number;
  readonly #end: number;
  readonly #turns: Turns;

  constructor(group: Numbers) {
    this.#first = group.first;
    this.#end = group.first + group.count;
    this.#turns = new Turns(group);
  }

  pick(load: ShardLoad, ready: Uint8Array): number {
    let asleep = -1;
    for (let shard = this.#first; shard < this.#end; shard++) {
      if (ready[shard] === 0 || load.waitUs(shard) > WAKE_US || load.isFull(shard)) continue;
      if (load.isAwake(shard)) return shard;
      if (asleep < 0) asleep = shard;
    }
    if (asleep >= 0) return asleep;
    return this.#turns.best(ready, (shard, best) => isSooner(load, shard, best));
  }
}

/** A full shard starts nothing more, however idle its thread is: among full shards, the one with the fewest requests is picked. */
function isSooner(load: ShardLoad, shard: number, other: number): boolean {
  const isFull = load.isFull(shard);
  if (isFull !== load.isFull(other)) return !isFull;
  const byWait = isFull ? 0 : load.waitUs(shard) - load.waitUs(other);
  return byWait < 0 || (byWait === 0 && load.outstanding(shard) < load.outstanding(other));
}

class RoundRobin implements DispatchPolicy {
  readonly anyWillDo = true;
  readonly #turns: Turns;

  constructor(group: Numbers) {
    this.#turns = new Turns(group);
  }

  pick(_load: ShardLoad, ready: Uint8Array): number {
    return this.#turns.takeReady(ready);
  }
}

/**
 * Highest random weight: each seat has a weight for each hash, and the shard on the heaviest one that is ready is picked. So a shard that is
 * removed or added moves only its own share of the hashes (Thaler and Ravishankar, 1998), and one that replaces another moves none.
 */
class Rendezvous implements DispatchPolicy {
  readonly anyWillDo = false;
  readonly #first: number;
  readonly #end: number;

  constructor({ first, count }: Numbers) {
    this.#first = first;
    this.#end = first + count;
  }

  pick(load: ShardLoad, ready: Uint8Array, hash: number): number {
    let best = -1;
    let heaviest = -1;
    for (let shard = this.#first; shard < this.#end; shard++) {
      if (ready[shard] === 0) continue;
      const weight = mix(hash ^ Math.imul(load.seat(shard) - this.#first + 1, GOLDEN)) >>> 0;
      if (weight <= heaviest) continue;
      best = shard;
      heaviest = weight;
    }
    return best;
  }
}

/** 2³² divided by the golden ratio: spreads neighbouring numbers far apart. */
const GOLDEN = 0x9e3779b1;

/** Makes each bit of the result depend on each bit of `value`: the finalizer of MurmurHash3 (Appleby). */
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

/**
 * Creates the policy of a group; `{ key }` is rendezvous for requests that have the key.
 * @param steal whether idle shards steal queued requests
 */
export function createPolicy(dispatch: Dispatch, group: Numbers, steal: boolean): DispatchPolicy {
  if (group.most === 1) return new OnlyOne(group);
  if (dispatch === 'least-loaded') return steal ? new AwakeFirst(group) : new Fewest(group, outstandingOf);
  if (dispatch === 'round-robin') return new RoundRobin(group);
  return new Rendezvous(group);
}

/** Creates the policy of a group for requests that offer another protocol. */
export function createUpgradePolicy(dispatch: Dispatch, group: Numbers, steal: boolean): DispatchPolicy {
  const isBalanced = dispatch === 'least-loaded' && group.most > 1;
  return isBalanced ? new Fewest(group, connectionsOf) : createPolicy(dispatch, group, steal);
}

function outstandingOf(load: ShardLoad, shard: number): number {
  return load.outstanding(shard);
}

/** Connections that the shard has taken over stay where they begin, so what counts are those and outstanding requests, however busy it is now. */
function connectionsOf(load: ShardLoad, shard: number): number {
  return load.connections(shard);
}
