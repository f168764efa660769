/*
 * The server's own dispatch code in virtual time. This file is the only one that knows how that code is constructed.
 */
import { COUNTER_THREAD_TIME_OFFSET } from '../../../build/assembly/layout.js';
import { createPolicy } from '../../../build/src/http/admission/policies.js';
import { Load } from '../../../build/src/pool/load.js';
import { Claims } from '../../../build/src/shard/loop/claims.js';
import { ThreadTime } from '../../../build/src/shard/loop/thread-time.js';

/** Requests that may be outstanding on a shard while others have room: half of the default of `maxQueue`. */
const MOST_OUTSTANDING = 2_048;
/** HTTP_US of src/pool/load.ts: the least time that an HTTP thread needs for a request. */
const HTTP_US = 5;
const NS_PER_US = 1_000;

/** WORTH_MS of src/core/wait-strategy.ts. */
export const WORTH_US = 150;

/**
 * How several HTTP threads use the dispatch code. The code is the real one; the rules change what it is told, and when.
 * @typedef {object} Rules
 * @property {boolean} seesOthers adds the other threads' outstanding requests, as of the last look at the shard
 * @property {boolean} sharesHttpTime multiplies HTTP_US by the awake shards per HTTP thread, at most 1: several threads together
 * submit requests to one shard faster than one thread does
 * @property {number} ringsAt requests at which an HTTP thread rings doorbells within its turn, not only at the end
 * @property {boolean} helpsAtLooks wakes a shard for requests behind a long handler at the next look, and not only by the 2 ms watch
 * @property {number} worthUs in place of WORTH_US, for HTTP threads
 */

/** The dispatch code as it is. With one HTTP thread it is today's server. @type {Rules} */
export const TODAY = {
  seesOthers: true,
  sharesHttpTime: false,
  ringsAt: Number.POSITIVE_INFINITY,
  helpsAtLooks: false,
  worthUs: WORTH_US,
};

/** What the simulation suggests: docs/scaling.md. @type {Rules} */
export const PROPOSED = { seesOthers: true, sharesHttpTime: true, ringsAt: 32, helpsAtLooks: true, worthUs: 60 };

/** The words of a shard in shared memory that other threads read. */
export class ShardWords {
  parked = 0;
  calledAt = 0;
  threadTime = 0;
  batches = 0;
  parks = 0;

  /** @param {number} permits */
  constructor(permits) {
    this.permits = permits;
  }
}

/** Counts how many shards the policy considers, because each one costs the HTTP thread time. */
class CountingLoad extends Load {
  visits = 0;

  /** @override */
  waitUs(/** @type {number} */ shard) {
    this.visits++;
    return super.waitUs(shard);
  }
}

/**
 * @param {object} side what the load reads of the shards
 * @param {number} shards
 */
function createLoad(side, shards) {
  return new CountingLoad(/** @type {any} */ (side), shards, MOST_OUTSTANDING);
}

/** Picks shards for the requests of one HTTP thread. */
export class Dispatcher {
  /** Requests of this HTTP thread that are outstanding, by shard. The other threads read it. */
  own;
  #looks = 0;
  #load;
  #policy;
  #ready;
  #words;
  #httpThreads;
  /** Outstanding requests of the other HTTP threads, as of the last look. */
  #others;
  /** @type {readonly Dispatcher[]} */
  #peers = [];

  /**
   * @param {readonly ShardWords[]} words
   * @param {(shard: number) => boolean} isGiven whether the shard was given something that its doorbell was not rung for
   * @param {number} httpThreads
   * @param {Rules} rules
   */
  constructor(words, isGiven, httpThreads, { seesOthers, sharesHttpTime }) {
    const shards = words.length;
    this.own = new Int32Array(shards);
    this.#others = new Int32Array(shards);
    this.#ready = new Uint8Array(shards).fill(1);
    this.#words = words;
    this.#httpThreads = httpThreads;
    const side = {
      // The first word that a look reads.
      isParked: (/** @type {number} */ shard) => {
        this.#looks++;
        if (seesOthers) this.#readOthers(shard);
        return words[shard].parked === 1;
      },
      isGiven,
      permitLimit: (/** @type {number} */ shard) => words[shard].permits,
      threadTime: (/** @type {number} */ shard) => {
        const { threadTime } = words[shard];
        return threadTime > 0 && sharesHttpTime ? threadTime + this.#addedNs() : threadTime;
      },
      calledAt: (/** @type {number} */ shard) => words[shard].calledAt,
      progress: (/** @type {number} */ shard) => (words[shard].batches + words[shard].parks) | 0,
    };
    this.#load = createLoad(side, shards);
    this.#policy = createPolicy('least-loaded', { name: 'default', first: 0, count: shards }, true);
  }

  /** @param {readonly Dispatcher[]} all the dispatchers of all HTTP threads, this one included */
  connect(all) {
    this.#peers = all.filter((other) => other !== this);
  }

  #readOthers(/** @type {number} */ shard) {
    let others = 0;
    for (const { own } of this.#peers) others += own[shard];
    this.#load.outstanding[shard] += others - this.#others[shard];
    this.#others[shard] = others;
  }

  /** Has the real code subtract a part of HTTP_US. */
  #addedNs() {
    let awake = 0;
    for (const { parked } of this.#words) awake += 1 - parked;
    return HTTP_US * (1 - Math.min(1, Math.max(1, awake) / this.#httpThreads)) * NS_PER_US;
  }

  /** @param {number} nowUs the server's clock: whole microseconds */
  pick(nowUs) {
    this.#load.now = nowUs;
    return this.#policy.pick(this.#load, this.#ready, 0);
  }

  submitted(/** @type {number} */ shard) {
    this.#load.submitted(shard);
    this.own[shard]++;
  }

  completed(/** @type {number} */ shard) {
    this.#load.outstanding[shard]--;
    this.own[shard]--;
  }

  /** Returns how many shards the policy has considered, and how often it has read their words, since the last call. */
  takeCounts() {
    const counts = { visits: this.#load.visits, looks: this.#looks };
    this.#load.visits = 0;
    this.#looks = 0;
    return counts;
  }
}

/**
 * Decides how much a shard claims.
 * @param {{ claim(most: number, least: number): number, steal(most: number): number }} side
 * @param {ShardWords} words
 * @param {number} batch
 */
export function createClaims(side, words, batch) {
  const context = {
    side,
    counters: {
      // Batches and steals are all that it counts. Either shows that the shard has looked at the rings.
      add: () => {
        words.batches++;
      },
    },
    times: { recordBatch() {} },
  };
  return new Claims(/** @type {any} */ (context), batch);
}

/** Publishes how long requests keep the shard's thread. */
export function createThreadTime(/** @type {ShardWords} */ words) {
  const counters = {
    put: (/** @type {number} */ offset, /** @type {number} */ value) => {
      if (offset === COUNTER_THREAD_TIME_OFFSET) words.threadTime = value;
    },
  };
  return new ThreadTime(/** @type {any} */ (counters));
}

/**
 * Computes how many slots `slotClaimPermitted` (assembly/slot.ts) takes out of a ring.
 * @param {number} length of the ring
 * @param {number} permits that are free
 * @param {number} most
 * @param {number} sharers
 * @param {number} least
 */
export function claimable(length, permits, most, sharers, least) {
  const wanted = Math.min(Math.trunc(most), Math.max(Math.trunc(least), Math.ceil(length / sharers)));
  return Math.min(length, permits, wanted);
}
