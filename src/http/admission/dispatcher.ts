import type { ShardPool } from '../../pool/shard-pool.js';
import { Passage } from './passage.js';
import type { DispatchPolicy } from './policies.js';
import type { Queues } from './queues.js';
import type { RouteRules } from './route-rules.js';

export interface DispatcherEvents {
  /** A request was put into a ring of `shard`. */
  onPublished(shard: number): void;
  /** A request that was taken back from a shard goes to another one. */
  onResubmitted(slot: number): void;
  /** No shard takes a request after it had to wait. */
  onFailed(slot: number): void;
}

/**
 * How requests get to shards and back: each to the ring its dispatch policy picks, those of a route with `maxConcurrency`
 * only with one of its permits. HTTP thread.
 */
export class Dispatcher {
  readonly #pool: ShardPool;
  readonly #queues: Queues;
  readonly #events: DispatcherEvents;
  /** Routes whose waiting requests are being started; each that fails frees a permit for the next one. */
  readonly #starting = new Set<RouteRules>();
  /** By slot. */
  readonly passages: readonly Passage[];

  constructor(pool: ShardPool, queues: Queues, events: DispatcherEvents) {
    this.#pool = pool;
    this.#queues = queues;
    this.#events = events;
    this.passages = Array.from({ length: pool.map.slots }, () => new Passage());
  }

  /** The shard that a request of these rules would go to now, or -1: one that is ready, else one that is being replaced. */
  pick(rules: RouteRules, hash: number, sticky: boolean): number {
    const { ready, replaced } = this.#pool.load;
    const shard = this.#pickFrom(ready, rules, hash, sticky);
    return shard >= 0 ? shard : this.#pickFrom(replaced, rules, hash, sticky);
  }

  /** A shard of the group that would do as well and that `accepts` the request, or -1. */
  pickOther(rules: RouteRules, sticky: boolean, accepts: (shard: number) => boolean): number {
    if (!this.#policyOf(rules, sticky).anyWillDo) return -1;
    const { ready } = this.#pool.load;
    const { first, count } = this.#pool.groups[rules.group];
    for (let shard = first; shard < first + count; shard++) if (ready[shard] === 1 && accepts(shard)) return shard;
    return -1;
  }

  #policyOf(rules: RouteRules, sticky: boolean): DispatchPolicy {
    return rules.key === undefined || sticky ? rules.policy : rules.fallback;
  }

  #pickFrom(ready: Uint8Array, rules: RouteRules, hash: number, sticky: boolean): number {
    return this.#policyOf(rules, sticky).pick(this.#pool.load, ready, hash);
  }

  /** Submits a request whose record is written to `shard`, or has it wait for a permit of its route. */
  submit(slot: number, shard: number): void {
    if (this.#takePermit(slot)) this.#toShard(slot, shard);
    else this.passages[slot].rules!.waiting.add(slot);
  }

  /** Some shard could take the request now. */
  hasOther(slot: number): boolean {
    const { rules, hash, sticky } = this.passages[slot];
    return this.#pickFrom(this.#pool.load.ready, rules!, hash, sticky) >= 0;
  }

  /**
   * Submits once more what was taken back from `lost`, whose thread has exited: to another shard, or if there is none, to
   * the same one, for the thread that replaces it.
   */
  resubmit(slot: number, lost: number): void {
    const passage = this.passages[slot];
    this.#pool.completed(passage.shard);
    passage.shard = -1;
    this.#submitLate(slot, lost);
    this.#events.onResubmitted(slot);
  }

  /** @param otherwise the shard if no other one takes it; -1 for none */
  #submitLate(slot: number, otherwise: number): void {
    const passage = this.passages[slot];
    const { rules, hash, sticky } = passage;
    // Its wait in this ring begins now.
    passage.submittedAt = this.#pool.load.now = this.#pool.clock.nowUs();
    const shard = this.pick(rules!, hash, sticky);
    const target = shard < 0 ? otherwise : shard;
    if (target < 0) this.#events.onFailed(slot);
    else this.#toShard(slot, target);
  }

  #toShard(slot: number, shard: number): void {
    const passage = this.passages[slot];
    this.#pool.submit(slot, shard, passage.sticky);
    passage.shard = shard;
    this.#queues.submitted(shard);
    this.#events.onPublished(shard);
  }

  /** The slot is back, its request over: it is nobody's load any more, and the next one may have its permit. */
  returned(slot: number): void {
    const passage = this.passages[slot];
    if (passage.shard >= 0) this.#pool.completed(passage.shard);
    if (passage.permitted) this.#releasePermit(passage);
  }

  /** Takes a request back that no shard has started. `false` if one has. */
  recall(slot: number): boolean {
    const { shard, rules } = this.passages[slot];
    if (rules?.waiting.delete(slot)) return true;
    if (shard < 0) return false;
    const { side } = this.#pool;
    if (!side.recall(slot)) return side.revoke(slot);
    this.#queues.recalled(shard);
    return true;
  }

  // ── permits of routes ───────────────────────────────────────────────────────────────────────────────────────────

  /** Changes how many requests of a route may be in hand of shards; those that are stay. */
  setLimit(rules: RouteRules, permits: number): void {
    rules.permits!.setLimit(permits);
    this.#startWaiting(rules);
  }

  #takePermit(slot: number): boolean {
    const passage = this.passages[slot];
    const { permits } = passage.rules!;
    if (permits === undefined) return true;
    passage.permitted = permits.tryAcquire();
    return passage.permitted;
  }

  #releasePermit(passage: Passage): void {
    const rules = passage.rules!;
    passage.permitted = false;
    rules.permits!.release();
    this.#startWaiting(rules);
  }

  #startWaiting(rules: RouteRules): void {
    if (rules.waiting.size === 0 || this.#starting.has(rules)) return;
    this.#starting.add(rules);
    for (const slot of rules.waiting) {
      if (!this.#takePermit(slot)) break;
      rules.waiting.delete(slot);
      this.#submitLate(slot, -1);
    }
    this.#starting.delete(rules);
  }
}
