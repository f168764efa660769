import type { ShardPool } from '../../pool/shard-pool.js';
import type { Exchange } from '../exchange.js';
import type { Queues } from './queues.js';
import type { RouteRules } from './route-rules.js';

export interface DispatcherEvents {
  /** A request was put into a ring of `shard`. */
  onPublished(shard: number): void;
  /** A request that was taken back from a shard goes to another one. */
  onResubmitted(exchange: Exchange): void;
  /** No shard takes a request after it had to wait. */
  onFailed(exchange: Exchange): void;
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

  constructor(pool: ShardPool, queues: Queues, events: DispatcherEvents) {
    this.#pool = pool;
    this.#queues = queues;
    this.#events = events;
  }

  /** The shard that a request of these rules would go to now, or -1: one that is ready, else one that is being replaced. */
  pick(rules: RouteRules, hash: number, sticky: boolean): number {
    const { ready, replaced } = this.#pool.load;
    const shard = this.#pickFrom(ready, rules, hash, sticky);
    return shard >= 0 ? shard : this.#pickFrom(replaced, rules, hash, sticky);
  }

  #pickFrom(ready: Uint8Array, rules: RouteRules, hash: number, sticky: boolean): number {
    const policy = rules.key === undefined || sticky ? rules.policy : rules.fallback;
    return policy.pick(this.#pool.load, ready, hash);
  }

  /** Submits a request whose record is written to `shard`, or has it wait for a permit of its route. */
  submit(exchange: Exchange, shard: number): void {
    if (this.#takePermit(exchange)) this.#toShard(exchange, shard);
    else exchange.rules!.waiting.add(exchange);
  }

  /** Some shard could take the request now. */
  hasOther({ rules, hash, sticky }: Exchange): boolean {
    return this.#pickFrom(this.#pool.load.ready, rules!, hash, sticky) >= 0;
  }

  /**
   * Submits once more what was taken back from `lost`, whose thread has exited: to another shard, or if there is none, to
   * the same one, for the thread that replaces it.
   */
  resubmit(exchange: Exchange, lost: number): void {
    this.#pool.completed(exchange.shard);
    exchange.shard = -1;
    this.#submitLate(exchange, lost);
    this.#events.onResubmitted(exchange);
  }

  /** @param otherwise the shard if no other one takes it; -1 for none */
  #submitLate(exchange: Exchange, otherwise: number): void {
    const { rules, hash, sticky } = exchange;
    // Its wait in this ring begins now.
    exchange.submittedAt = this.#pool.load.now = this.#pool.clock.nowUs();
    const shard = this.pick(rules!, hash, sticky);
    const target = shard < 0 ? otherwise : shard;
    if (target < 0) this.#events.onFailed(exchange);
    else this.#toShard(exchange, target);
  }

  #toShard(exchange: Exchange, shard: number): void {
    this.#pool.submit(exchange.slot, shard, exchange.sticky);
    exchange.shard = shard;
    this.#queues.submitted(shard);
    this.#events.onPublished(shard);
  }

  /** The slot is back, its request over: it is nobody's load any more, and the next one may have its permit. */
  returned(exchange: Exchange): void {
    if (exchange.shard >= 0) this.#pool.completed(exchange.shard);
    if (exchange.permitted) this.#releasePermit(exchange);
  }

  /** Takes a request back that no shard has started. `false` if one has. */
  recall(exchange: Exchange): boolean {
    const { slot, shard, rules } = exchange;
    if (rules?.waiting.delete(exchange)) return true;
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

  #takePermit(exchange: Exchange): boolean {
    const { permits } = exchange.rules!;
    if (permits === undefined) return true;
    exchange.permitted = permits.tryAcquire();
    return exchange.permitted;
  }

  #releasePermit(exchange: Exchange): void {
    const rules = exchange.rules!;
    exchange.permitted = false;
    rules.permits!.release();
    this.#startWaiting(rules);
  }

  #startWaiting(rules: RouteRules): void {
    if (rules.waiting.size === 0 || this.#starting.has(rules)) return;
    this.#starting.add(rules);
    for (const exchange of rules.waiting) {
      if (!this.#takePermit(exchange)) break;
      rules.waiting.delete(exchange);
      this.#submitLate(exchange, -1);
    }
    this.#starting.delete(rules);
  }
}
