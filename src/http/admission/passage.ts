import type { RouteRules } from './route-rules.js';

/** The way of a request from its admission to its shard: one for each slot. HTTP thread. */
export class Passage {
  /** The shard in whose ring the request was put, which need not be the one that runs it; -1 before that. */
  shard = -1;
  /** Of its route; nothing before the slot was used. */
  rules: RouteRules | undefined;
  /** Index in PRIORITIES. */
  rank = 0;
  /** What dispatch goes by. */
  hash = 0;
  /** It has a key: no other shard may run it. */
  sticky = false;
  /** It has one of its route's permits. */
  permitted = false;
  /** Its handler was told that the client has ended its side. */
  isAborted = false;
  /** When it was put into the ring, by the server's clock. */
  submittedAt = 0;

  /** For the next request in the same slot. */
  reset(rules: RouteRules, rank: number, now: number): void {
    this.shard = -1;
    this.rules = rules;
    this.rank = rank;
    this.hash = rules.hash;
    this.sticky = false;
    this.permitted = false;
    this.isAborted = false;
    this.submittedAt = now;
  }
}
