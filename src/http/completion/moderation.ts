import type { Group } from '../../options/scheduling.js';
import type { Queues } from '../admission/queues.js';
import type { Shards } from '../shards.js';

/** Maximum length of a pause. It also delays responses, and requests that the HTTP thread handles itself, such as health checks. */
const MOST_US = 1_000;
/** Shorter pauses save too few wake-ups. */
const LEAST_US = 100;
/** Linux ends timed waits about 50 µs late (prctl(2), PR_SET_TIMERSLACK). */
const SLACK_US = 50;
/** Turns after which the time of a request is read again, in case dispatch has not done so: with one shard it never does. */
const FRESH_TURNS = 32;
/** The share of the time in which the queues would become empty, which is an estimate. */
const SHARE = 1 / 2;

/**
 * Decides when the HTTP thread pauses between two turns. While requests queue for busy shards, others that arrive would only wait, too, and
 * handling each one as it arrives costs several wake-ups, for which the handlers' threads lose their cores. Network adapters do the same
 * (interrupt moderation). HTTP thread.
 */
export class Moderation {
  readonly #shards: Shards;
  readonly #queues: Queues;
  /** By group: whether its shards share their queues evenly. */
  readonly #isEven: readonly boolean[];
  /** How often the thread has paused. */
  pauses = 0;
  #turns = 0;
  /** Requests go to other shards now. */
  #isOver = false;
  /** A connection was accepted since the last turn. */
  #hasAccepted = false;
  /** Nobody notifies it. */
  readonly #word = new Int32Array(new SharedArrayBuffer(4));

  /** @param isEven by group: whether its shards share their queues evenly */
  constructor(shards: Shards, queues: Queues, isEven: readonly boolean[]) {
    this.#shards = shards;
    this.#queues = queues;
    this.#isEven = isEven;
  }

  /**
   * A connection was accepted. libuv accepts one in each turn of the event loop, so the next turn must not be delayed: others may be
   * waiting.
   */
  accepted(): void {
    this.#hasAccepted = true;
  }

  /** Ends pauses: new requests go to other shards, whose load is not known here. */
  end(): void {
    this.#isOver = true;
  }

  /** Blocks the thread for up to a millisecond if `pauseUs` says so. Returns whether it did. */
  pause(): boolean {
    const us = this.pauseUs();
    if (us === 0) return false;
    this.pauses++;
    Atomics.wait(this.#word, 0, 0, (us - SLACK_US) / 1_000);
    return true;
  }

  /** For how long a pause saves wake-ups while no shard runs out of requests, in microseconds; 0 if it does not. */
  pauseUs(): number {
    if (this.#isOver) return 0;
    if (this.#hasAccepted || !this.#hasQueue()) {
      this.#hasAccepted = false;
      return 0;
    }
    const { load, clock, groups } = this.#shards;
    load.now = clock.nowUs();
    let us = MOST_US;
    for (let i = 0; i < groups.length && us >= LEAST_US; i++) {
      us = Math.min(us, SHARE * this.#drainUs(groups[i], this.#isEven[i]));
    }
    return us < LEAST_US ? 0 : us;
  }

  /** Whether requests of this thread are queued that take long enough for a queue to matter. */
  #hasQueue(): boolean {
    const { map, load, clock } = this.#shards;
    // This runs in each turn, so little is read from shared memory while requests are light.
    const isFresh = ++this.#turns % FRESH_TURNS === 0;
    if (isFresh) load.now = clock.nowUs();
    let queued = 0;
    for (let shard = 0; shard < map.shards; shard++) {
      if (this.#queues.own(shard) === 0) continue;
      const us = isFresh ? load.requestUs(shard) : load.lastRequestUs(shard);
      if (us > 0) queued += this.#queues.lookAtOwn(shard);
    }
    return queued > 0;
  }

  /**
   * Estimated time until a shard of the group has no more requests, in microseconds; 0 if one sleeps, or if their queues are too short for
   * an estimate.
   */
  #drainUs({ first, count }: Group, isEven: boolean): number {
    const { load } = this.#shards;
    let ready = 0;
    let running = 0;
    let queued = 0;
    let sum = 0;
    let shortest = Number.POSITIVE_INFINITY;
    for (let shard = first; shard < first + count; shard++) {
      if (load.ready[shard] === 0) continue;
      if (!load.isAwake(shard)) return 0;
      ready++;
      if (load.isRunning(shard)) running++;
      const waiting = this.#queues.seen(shard);
      const us = waiting * load.requestUs(shard);
      queued += waiting;
      sum += us;
      if (us < shortest) shortest = us;
    }
    // Between two handlers a shard does not run, so they seldom all do.
    if (running * 2 < ready || queued < ready || ready === 0) return 0;
    return isEven ? sum / ready : shortest;
  }
}
