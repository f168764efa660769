import { SLOT_ROUTE_PERMIT_FLAG } from '../../../assembly/layout.js';
import { bySlot } from '../../contract/http-side.js';
import type { Shards } from '../shards.js';
import { Passage } from './passage.js';
import type { DispatchPolicy } from './policies.js';
import type { Queues } from './queues.js';
import type { RouteRules } from './route-rules.js';

/** What the choice of a request's shard depends on. */
export type ShardWish = Pick<Passage, 'rules' | 'hash' | 'sticky' | 'isOffer'>;

export interface DispatcherEvents {
  /** A request was submitted to a ring of `shard`. */
  onPublished(shard: number): void;
  /** A request waits for a permit of its route. */
  onWaiting(): void;
  /** A request that was taken back from a shard was submitted to another one. */
  onResubmitted(slot: number): void;
  /** No shard accepts a request that had to wait. */
  onFailed(slot: number): void;
}

/**
 * Submits requests to shards and takes them back: each to the ring that its dispatch policy picks, and requests of a route with
 * `maxConcurrency` only with one of its permits. HTTP thread.
 */
export class Dispatcher {
  readonly #shards: Shards;
  readonly #queues: Queues;
  readonly #events: DispatcherEvents;
  /** Routes whose waiting requests are being started; each one that fails frees a permit for the next. */
  readonly #starting = new Set<RouteRules>();
  /** Routes with requests that wait for a permit. */
  readonly #waiting = new Set<RouteRules>();
  /** Whether the last contended permit was left to other HTTP threads. */
  #hasYielded = false;
  /** By slot. */
  readonly passages: readonly Passage[];

  constructor(shards: Shards, queues: Queues, events: DispatcherEvents) {
    this.#shards = shards;
    this.#queues = queues;
    this.#events = events;
    this.passages = bySlot(shards.side.range, () => new Passage());
  }

  /** The shard to which such a request would go now: one that is ready, else one that is being replaced, else -1. */
  pick(wish: ShardWish): number {
    const { ready, replaced } = this.#shards.load;
    const shard = this.#pickFrom(ready, wish);
    return shard >= 0 ? shard : this.#pickFrom(replaced, wish);
  }

  /** Another shard of the group that is allowed by the policy and `accepts` the request, or -1. */
  pickOther(wish: ShardWish, accepts: (shard: number) => boolean): number {
    if (!policyOf(wish).anyWillDo) return -1;
    const { ready } = this.#shards.load;
    const { first, count } = this.#shards.groups[wish.rules!.group];
    for (let shard = first; shard < first + count; shard++) if (ready[shard] === 1 && accepts(shard)) return shard;
    return -1;
  }

  #pickFrom(ready: Uint8Array, wish: ShardWish): number {
    return policyOf(wish).pick(this.#shards.load, ready, wish.hash);
  }

  /** Submits a request whose record is written to `shard`, or makes it wait for a permit of its route. */
  submit(slot: number, shard: number): void {
    const rules = this.passages[slot].rules!;
    // Later requests must not take a permit that was left to other HTTP threads either.
    if (rules.waiting.size === 0 && this.#takePermit(slot)) return this.#toShard(slot, shard);
    this.#wait(slot, rules);
    this.#events.onWaiting();
  }

  /** Whether another shard could run the request now. */
  hasOther(slot: number): boolean {
    return this.#pickFrom(this.#shards.load.ready, this.passages[slot]) >= 0;
  }

  /**
   * Submits a request again that was taken back from `lost`, whose thread has exited: to another shard, or if none is ready, to the same
   * one, for the thread that replaces it.
   */
  resubmit(slot: number, lost: number): void {
    const passage = this.passages[slot];
    this.#shards.completed(passage.shard);
    passage.shard = -1;
    this.#submitLate(slot, lost);
    this.#events.onResubmitted(slot);
  }

  /** @param otherwise the shard to use if no other accepts it; -1 for none */
  #submitLate(slot: number, otherwise: number): void {
    const passage = this.passages[slot];
    // Its wait in this ring starts now.
    passage.submittedAt = this.#shards.load.now = this.#shards.clock.nowUs();
    const shard = this.pick(passage);
    const target = shard < 0 ? otherwise : shard;
    if (target < 0) this.#events.onFailed(slot);
    else this.#toShard(slot, target);
  }

  #toShard(slot: number, shard: number): void {
    const passage = this.passages[slot];
    this.#shards.submit(slot, shard, passage.sticky);
    passage.shard = shard;
    this.#queues.submitted(shard);
    this.#events.onPublished(shard);
  }

  /** The request is over and its slot is back: removes it from the load and releases its permit. */
  returned(slot: number): void {
    const passage = this.passages[slot];
    if (passage.shard >= 0) this.#shards.completed(passage.shard);
    if (passage.permitted) this.#releasePermit(slot, passage);
  }

  /** Takes back a request that no shard has started. `false` if one has. */
  recall(slot: number): boolean {
    const { shard, rules } = this.passages[slot];
    if (rules !== undefined && this.#stopWaiting(slot, rules)) return true;
    if (shard < 0) return false;
    const { side } = this.#shards;
    if (!side.recall(slot)) return side.revoke(slot);
    this.#queues.recalled(shard);
    return true;
  }

  // ── permits of routes ───────────────────────────────────────────────────────────────────────────────────────────

  #takePermit(slot: number): boolean {
    const passage = this.passages[slot];
    const { permits } = passage.rules!;
    if (permits === undefined) return true;
    passage.permitted = permits.tryAcquire();
    // The flag lets the control thread release the permit if this thread ends.
    if (passage.permitted) this.#shards.side.views[slot].mark(SLOT_ROUTE_PERMIT_FLAG);
    return passage.permitted;
  }

  /**
   * Keeps the permit of the route, because the response continues as a stream after its slot is freed.
   * @returns releases the permit; undefined if the request has none
   */
  keepPermit(slot: number): (() => void) | undefined {
    const passage = this.passages[slot];
    if (!passage.permitted) return undefined;
    const rules = passage.rules!;
    const { figures } = this.#shards.side;
    // The count lets the control thread release the permit if this thread ends.
    figures.addStreaming(rules.limitIndex, 1);
    this.#forgetPermit(slot, passage);
    return () => {
      figures.addStreaming(rules.limitIndex, -1);
      this.#release(rules);
    };
  }

  #releasePermit(slot: number, passage: Passage): void {
    this.#forgetPermit(slot, passage);
    this.#release(passage.rules!);
  }

  #forgetPermit(slot: number, passage: Passage): void {
    passage.permitted = false;
    this.#shards.side.views[slot].clear(SLOT_ROUTE_PERMIT_FLAG);
  }

  #release(rules: RouteRules): void {
    rules.permits!.release();
    if (!this.#isLeftToOthers(rules)) this.#startWaiting(rules);
  }

  /** Leaves every other contended permit to other HTTP threads. */
  #isLeftToOthers({ limitIndex }: RouteRules): boolean {
    const { side } = this.#shards;
    if (side.figures.waitingOfOthers(limitIndex) === 0) return false;
    side.ringOthers();
    this.#hasYielded = !this.#hasYielded;
    return this.#hasYielded;
  }

  #wait(slot: number, rules: RouteRules): void {
    rules.waiting.add(slot);
    this.#waiting.add(rules);
    this.#countWaiting(rules);
  }

  #stopWaiting(slot: number, rules: RouteRules): boolean {
    if (!rules.waiting.delete(slot)) return false;
    if (rules.waiting.size === 0) this.#waiting.delete(rules);
    this.#countWaiting(rules);
    return true;
  }

  #countWaiting({ limitIndex, waiting }: RouteRules): void {
    this.#shards.side.figures.setWaiting(limitIndex, waiting.size);
  }

  /**
   * Starts requests that wait for permits which other HTTP threads have released.
   * @returns whether some are still waiting
   */
  retryWaiting(): boolean {
    if (this.#waiting.size === 0) return false;
    for (const rules of this.#waiting) this.#startWaiting(rules);
    return this.#waiting.size > 0;
  }

  #startWaiting(rules: RouteRules): void {
    if (rules.waiting.size === 0 || this.#starting.has(rules)) return;
    this.#starting.add(rules);
    for (const slot of rules.waiting) {
      if (!this.#takePermit(slot)) break;
      this.#stopWaiting(slot, rules);
      this.#submitLate(slot, -1);
    }
    this.#starting.delete(rules);
  }
}

function policyOf({ rules, sticky, isOffer }: ShardWish): DispatchPolicy {
  const { policy, fallback } = isOffer ? rules!.ofUpgrades : rules!;
  return rules!.key === undefined || sticky ? policy : fallback;
}
