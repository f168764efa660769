import type { HttpSide } from '../../contract/http-side.js';
import { elapsedUs } from '../../core/clock.js';

/** What dispatch goes by, of each shard. */
export interface ShardLoad {
  /** Requests submitted and not yet given back; those of other HTTP threads as of the last look. */
  outstanding(shard: number): number;
  /** The shard runs, or will in a moment because of what it was given. */
  isAwake(shard: number): boolean;
  /** Microseconds by which one more request would wait for the shard's thread, as far as can be known. */
  waitUs(shard: number): number;
  /** It has as many requests as it has permits, or as may wait for it. */
  isFull(shard: number): boolean;
}

/** What shards say of themselves is looked at so often at most: each look is a miss of the cache, or several. */
const LOOK_US = 50;
/** What a request is thought to take before any was seen: a shard that nobody knows gets one after the other. */
const UNKNOWN_US = 125;
/**
 * What an HTTP thread itself takes for a request, at least. Where a shard takes no longer, one HTTP thread cannot submit requests faster than
 * one shard is through with them, however many come at once.
 */
const HTTP_US = 5;
/** A shard that has not looked at its rings for so long, though it was given something, does something else: handlers go on behind an `await`. */
const UNSEEN_US = 1_000;
/** Nothing was given to the shard that it may not have seen. */
const NOTHING = -1;
const NS_PER_US = 1_000;

/** What `Load` reads of the shared memory. */
export type LoadSource = Pick<HttpSide, 'words' | 'figures' | 'isGiven'>;

/** How much each shard has to do. HTTP thread. */
export class Load implements ShardLoad {
  /** 1 for a shard that takes requests. */
  readonly ready: Uint8Array;
  /** 1 for a shard that another thread is about to run: requests may wait for it where none is ready. */
  readonly replaced: Uint8Array;
  /** Microseconds, by the server's clock, for which this is asked: of the request in hand. */
  now = 0;
  readonly #source: LoadSource;
  readonly #most: number;
  /** What this HTTP thread, and the others as of the last look, have outstanding on each shard. */
  readonly #own: Int32Array;
  readonly #others: Int32Array;
  /** Microseconds within which the next request cannot come, however many come at once. */
  readonly #gapUs: number;
  readonly #lookedAt: Float64Array;
  readonly #awake: Uint8Array;
  /** Requests that a shard takes before it is full. */
  readonly #room: Int32Array;
  /** Microseconds: by which a request takes longer than the HTTP thread, and for which the thread is kept already. */
  readonly #each: Float64Array;
  readonly #kept: Float64Array;
  /** How far each shard had come at the last look, and when it was first given something since; or NOTHING. */
  readonly #progress: Int32Array;
  readonly #givenAt: Float64Array;

  /**
   * @param most requests that may be outstanding on a shard while others have room
   * @param httpThreads that submit to the same shards
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
    this.#lookedAt = new Float64Array(shards).fill(-LOOK_US);
    this.#awake = new Uint8Array(shards);
    this.#room = new Int32Array(shards);
    this.#each = new Float64Array(shards);
    this.#kept = new Float64Array(shards);
    this.#progress = new Int32Array(shards);
    this.#givenAt = new Float64Array(shards).fill(NOTHING);
  }

  /** A request was put into a ring of `shard`. */
  submitted(shard: number): void {
    this.#own[shard]++;
    if (this.#givenAt[shard] === NOTHING) this.#givenAt[shard] = this.now;
  }

  /** A request that was submitted to `shard` is not its any more. */
  completed(shard: number): void {
    this.#own[shard]--;
  }

  outstanding(shard: number): number {
    this.#look(shard);
    return this.#own[shard] + this.#others[shard];
  }

  isAwake(shard: number): boolean {
    this.#look(shard);
    return this.#awake[shard] === 1 || this.#source.isGiven(shard);
  }

  waitUs(shard: number): number {
    // The look comes first: it finds the other two.
    const outstanding = this.outstanding(shard);
    return this.#kept[shard] + outstanding * this.#each[shard];
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
  }

  /** Others may have taken what it was given: that it is not there any more says nothing. */
  #unseenUs(shard: number): number {
    const progress = this.#source.words.progress(shard);
    if (progress !== this.#progress[shard]) {
      this.#progress[shard] = progress;
      this.#givenAt[shard] = NOTHING;
    }
    const since = this.#givenAt[shard];
    const us = since === NOTHING ? 0 : this.now - since;
    return us < UNSEEN_US ? 0 : us;
  }
}
