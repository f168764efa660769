/*
 * The server's own dispatch code in virtual time. Only this file knows how to construct that code.
 */
import { COUNTER_THREAD_TIME_OFFSET } from '../../../build/assembly/layout.js';
import { Load } from '../../../build/src/http/admission/load.js';
import { createPolicy } from '../../../build/src/http/admission/policies.js';
import { Moderation } from '../../../build/src/http/completion/moderation.js';
import { Claims } from '../../../build/src/shard/loop/claims.js';
import { ThreadTime } from '../../../build/src/shard/loop/thread-time.js';

/** Requests that may be outstanding on a shard while others have room: half the default of `maxQueue`. */
const MOST_OUTSTANDING = 2_048;

/** WORTH_MS of src/core/wait-strategy.ts, and WORTH_OF_SEVERAL_MS of src/http/completion/completions.ts. */
export const WORTH_US = 150;
const WORTH_OF_SEVERAL_US = 60;

/** Mean wait up to which an HTTP thread stays awake. */
export function worthUs(/** @type {number} */ httpThreads) {
  return httpThreads > 1 ? WORTH_OF_SEVERAL_US : WORTH_US;
}

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

/** Counts how many shards the policy considers, because each one costs HTTP thread time. */
class CountingLoad extends Load {
  visits = 0;

  /** @override */
  waitUs(/** @type {number} */ shard) {
    this.visits++;
    return super.waitUs(shard);
  }
}

/**
 * What an HTTP thread sees of the rings of each shard.
 * @typedef {object} Rings
 * @property {(shard: number) => boolean} isGiven whether the shard was given a request without a ring of its doorbell
 * @property {(shard: number) => number} own requests of this HTTP thread in them
 * @property {(shard: number) => number} all requests in them
 */

/** Picks shards for the requests of one HTTP thread. */
export class Dispatcher {
  /** Outstanding requests of this HTTP thread, by shard. The other threads read it. */
  own;
  #looks = 0;
  #nowUs = 0;
  #load;
  #policy;
  #moderation;
  /** @type {readonly Dispatcher[]} */
  #peers = [];

  /**
   * @param {readonly ShardWords[]} words
   * @param {Rings} rings
   * @param {number} httpThreads
   * @param {(shard: number) => void} onHeldUp a handler keeps requests of this HTTP thread waiting
   */
  constructor(words, rings, httpThreads, onHeldUp) {
    const shards = words.length;
    this.own = new Int32Array(shards);
    const source = {
      isGiven: rings.isGiven,
      figures: {
        outstanding: this.own,
        outstandingOfOthers: (/** @type {number} */ shard) => this.#peers.reduce((sum, { own }) => sum + own[shard], 0),
      },
      words: {
        isParked: (/** @type {number} */ shard) => {
          this.#looks++;
          return words[shard].parked === 1;
        },
        permitLimit: (/** @type {number} */ shard) => words[shard].permits,
        threadTime: (/** @type {number} */ shard) => words[shard].threadTime,
        calledAt: (/** @type {number} */ shard) => words[shard].calledAt,
        progress: (/** @type {number} */ shard) => (words[shard].batches + words[shard].parks) | 0,
      },
    };
    this.#load = new CountingLoad(/** @type {any} */ (source), MOST_OUTSTANDING, httpThreads);
    this.#load.ready.fill(1);
    this.#load.onHeldUp = onHeldUp;
    const group = { name: 'default', first: 0, count: shards, most: shards };
    this.#policy = createPolicy('least-loaded', group, true);
    const seen = { map: { shards }, groups: [group], clock: { nowUs: () => this.#nowUs }, load: this.#load };
    const queues = { own: rings.own, lookAtOwn: rings.own, seen: rings.all };
    this.#moderation = new Moderation(/** @type {any} */ (seen), /** @type {any} */ (queues), [true]);
  }

  /** @param {readonly Dispatcher[]} all the dispatchers of all HTTP threads, this one included */
  connect(all) {
    this.#peers = all.filter((other) => other !== this);
  }

  /** @param {number} nowUs the server's clock: whole microseconds */
  pick(nowUs) {
    this.#load.now = nowUs;
    return this.#policy.pick(this.#load, this.#load.ready, 0);
  }

  /** For how long the thread pauses now. */
  pauseUs(/** @type {number} */ nowUs) {
    this.#nowUs = nowUs;
    return this.#moderation.pauseUs();
  }

  submitted(/** @type {number} */ shard) {
    this.#load.submitted(shard);
  }

  completed(/** @type {number} */ shard) {
    this.#load.completed(shard);
  }

  /** Returns how many shards the policy has considered and how often it has read their words since the last call. */
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
 * @param {ThreadTime} threadTime
 */
export function createClaims(side, words, batch, threadTime) {
  const context = {
    side,
    counters: {
      // It counts only batches and steals. Either shows that the shard has checked the rings.
      add: () => {
        words.batches++;
      },
    },
    times: { recordBatch() {} },
  };
  return new Claims(/** @type {any} */ (context), batch, threadTime);
}

/** Publishes how long requests occupy the shard's thread. */
export function createThreadTime(/** @type {ShardWords} */ words) {
  const counters = {
    put: (/** @type {number} */ offset, /** @type {number} */ value) => {
      if (offset === COUNTER_THREAD_TIME_OFFSET) words.threadTime = value;
    },
  };
  return new ThreadTime(/** @type {any} */ (counters));
}

/**
 * Computes how many slots `slotClaimPermitted` (assembly/slot.ts) takes from a ring.
 * @param {number} length of the ring
 * @param {number} permits free
 * @param {number} most
 * @param {number} sharers
 * @param {number} least
 */
export function claimable(length, permits, most, sharers, least) {
  const wanted = Math.min(Math.trunc(most), Math.max(Math.trunc(least), Math.ceil(length / sharers)));
  return Math.min(length, permits, wanted);
}
