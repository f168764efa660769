import type { HttpSide } from '../../contract/http-side.js';
import { elapsedUs } from '../../core/clock.js';

/** The load of each shard, for dispatch. */
export interface ShardLoad {
  /** Requests submitted and not given back; those of other HTTP threads as of the last read. */
  outstanding(shard: number): number;
  /** The same, plus the connections that it has taken over. */
  connections(shard: number): number;
  /** Whether the shard is running, or will be soon because it was given a request. */
  isAwake(shard: number): boolean;
  /** Estimated wait of one more request for the shard's thread, in microseconds. */
  waitUs(shard: number): number;
  /** Whether it holds as many requests as it has permits, or as may be queued for it. */
  isFull(shard: number): boolean;
  /** What its share of the keys depends on: a shard that replaces another one gets its seat. */
  seat(shard: number): number;
}

/** A wait that justifies waking another shard, in microseconds: docs/performance.md has the cost. */
export const WAKE_US = 100;
/** Minimum interval between two reads of a shard's words, because each read costs one or more cache misses. */
const LOOK_US = 50;
/** Assumed time of a request before any was measured, so that an unknown shard gets one request at a time. */
const UNKNOWN_US = 125;
/**
 * Minimum time that an HTTP thread itself needs for a request. If a shard needs no more, one HTTP thread cannot submit requests faster than
 * one shard runs them.
 */
const HTTP_US = 5;
/** A shard that has not checked its rings for this long after it was given a request is busy, for instance after an `await`. */
const UNSEEN_US = 1_000;
/** The shard was given nothing that it may not have seen. */
const NOTHING = -1;
const NS_PER_US = 1_000;

/** The parts of the shared memory that `Load` reads. */
export type LoadSource = Pick<HttpSide, 'words' | 'figures' | 'isGiven'>;

/** The load of each shard. HTTP thread. */
export class Load implements ShardLoad {
  /** 1 for each shard that accepts requests. */
  readonly ready: Uint8Array;
  /** 1 for each shard whose thread is being replaced: requests may wait for it if no shard is ready. */
  readonly replaced: Uint8Array;
  /** By shard. */
  readonly seats: Uint8Array;
  /** Current time in microseconds of the server's clock, set for each request. */
  now = 0;
  /** Called when a read shows that a handler has kept a shard with this thread's requests busy for longer than a wake-up takes. */
  onHeldUp: (shard: number) => void = () => {};
  readonly #source: LoadSource;
  readonly #most: number;
  /** Outstanding requests on each shard: this HTTP thread's, and the others' as of the last read. */
  readonly #own: Int32Array;
  readonly #others: Int32Array;
  /** Minimum time in microseconds between two requests. */
  readonly #gapUs: number;
  readonly #lookedAt: Float64Array;
  readonly #awake: Uint8Array;
  /** Number of requests that fill a shard. */
  readonly #room: Int32Array;
  /** In microseconds: by how much a request takes longer than that, and for how long the shard's thread has been busy. */
  readonly #each: Float64Array;
  readonly #kept: Float64Array;
  /** The progress of each shard at the last read, and when it was first given a request since; or NOTHING. */
  readonly #progress: Int32Array;
  readonly #givenAt: Float64Array;

  /**
   * @param most outstanding requests on a shard before others with room are preferred
   * @param httpThreads number of HTTP threads that submit to the same shards
   */
  constructor(source: LoadSource, most: number, httpThreads: number) {
    this.#source = source;
    this.#most = most;
    this.#own = source.figures.outstanding;
    const shards = this.#own.length;
    this.#others = new Int32Array(shards);
    this.#gapUs = HTTP_US / httpThreads;
    this.ready = new Uint8Array(shards);
    this.replaced = new Uint8Array(shards);
    this.seats = Uint8Array.from({ length: shards }, (_, shard) => shard);
    this.#lookedAt = new Float64Array(shards).fill(-LOOK_US);
    this.#awake = new Uint8Array(shards);
    this.#room = new Int32Array(shards);
    this.#each = new Float64Array(shards);
    this.#kept = new Float64Array(shards);
    this.#progress = new Int32Array(shards);
    this.#givenAt = new Float64Array(shards).fill(NOTHING);
  }

  /** Records that a request was submitted to a ring of `shard`. */
  submitted(shard: number): void {
    this.#own[shard]++;
    if (this.#givenAt[shard] === NOTHING) this.#givenAt[shard] = this.now;
  }

  /** Records that `shard` no longer holds a request that was submitted to it. */
  completed(shard: number): void {
    this.#own[shard]--;
  }

  outstanding(shard: number): number {
    this.#look(shard);
    return this.#own[shard] + this.#others[shard];
  }

  connections(shard: number): number {
    return this.outstanding(shard) + this.#source.words.upgrades(shard);
  }

  isAwake(shard: number): boolean {
    this.#look(shard);
    return this.#awake[shard] === 1 || this.#source.isGiven(shard);
  }

  waitUs(shard: number): number {
    // First, because reading it updates the other two values.
    const outstanding = this.outstanding(shard);
    return this.#kept[shard] + outstanding * this.#each[shard];
  }

  /** Whether the shard was running a handler at the last read, or ignored its ring. */
  isRunning(shard: number): boolean {
    this.#look(shard);
    return this.#kept[shard] > 0;
  }

  /** By how much a request takes longer on the shard's thread than HTTP threads need between two requests, in microseconds. */
  requestUs(shard: number): number {
    this.#look(shard);
    return this.#each[shard];
  }

  /** The same, as of the last read. */
  lastRequestUs(shard: number): number {
    return this.#each[shard];
  }

  seat(shard: number): number {
    return this.seats[shard];
  }

  isFull(shard: number): boolean {
    return this.outstanding(shard) >= this.#room[shard];
  }

  #look(shard: number): void {
    const { now } = this;
    const { words, figures } = this.#source;
    if (now - this.#lookedAt[shard] < LOOK_US) return;
    this.#lookedAt[shard] = now;
    this.#others[shard] = figures.outstandingOfOthers(shard);
    this.#awake[shard] = words.isParked(shard) ? 0 : 1;
    this.#room[shard] = Math.min(this.#most, words.permitLimit(shard));
    const threadTime = words.threadTime(shard);
    this.#each[shard] = threadTime === 0 ? UNKNOWN_US : Math.max(0, threadTime / NS_PER_US - this.#gapUs);
    const calledAt = words.calledAt(shard);
    const calledUs = calledAt === 0 ? 0 : elapsedUs(now, calledAt);
    this.#kept[shard] = Math.max(calledUs, this.#unseenUs(shard));
    if (this.#kept[shard] > WAKE_US && this.#own[shard] > 1) this.onHeldUp(shard);
  }

  /** How long the shard has ignored a request. Others may have stolen it, so an empty ring proves nothing. */
  #unseenUs(shard: number): number {
    const progress = this.#source.words.progress(shard);
    if (progress !== this.#progress[shard]) {
      this.#progress[shard] = progress;
      this.#givenAt[shard] = NOTHING;
    }
    // The doorbell of a sleeping shard is rung at the end of this thread's turn.
    if (this.#awake[shard] === 0) {
      if (this.#givenAt[shard] !== NOTHING) this.#givenAt[shard] = this.now;
      return 0;
    }
    const since = this.#givenAt[shard];
    const us = since === NOTHING ? 0 : this.now - since;
    return us < UNSEEN_US ? 0 : us;
  }
}
