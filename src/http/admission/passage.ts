import type { RouteRules } from './route-rules.js';

/** The path of a request from its admission to its shard: one object per slot. HTTP thread. */
export class Passage {
  /** The shard to whose ring the request was submitted, which may differ from the one that runs it; -1 before that. */
  shard = -1;
  /** Of its route; undefined until the slot is first used. */
  rules: RouteRules | undefined;
  /** Index in PRIORITIES. */
  rank = 0;
  /** Hash of the route or key, for dispatch. */
  hash = 0;
  /** Whether it has a key: no other shard may run it. */
  sticky = false;
  /** Whether its shard may take over the connection. */
  isOffer = false;
  /** Whether it holds one of its route's permits. */
  permitted = false;
  /** Whether its handler was told that the client has ended its side of the connection. */
  isAborted = false;
  /** When it was submitted to the ring, by the server's clock. */
  submittedAt = 0;

  /** Prepares for the next request in the same slot. */
  reset(rules: RouteRules, rank: number, now: number): void {
    this.shard = -1;
    this.rules = rules;
    this.rank = rank;
    this.hash = rules.hash;
    this.sticky = false;
    this.isOffer = false;
    this.permitted = false;
    this.isAborted = false;
    this.submittedAt = now;
  }
}
