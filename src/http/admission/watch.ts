import type { Exchange } from '../exchange.js';
import type { Shards } from '../shards.js';
import type { Deadlines } from './deadlines.js';
import type { Dispatcher } from './dispatcher.js';
import type { Gate } from './gate.js';
import type { Queues } from './queues.js';

/** Interval at which the rings are checked while requests are queued. */
const LOOK_MS = 2;
/** Interval at which deadlines are checked while any is pending. */
const SWEEP_MS = 10;
const US_PER_MS = 1_000;

export interface WatchEvents {
  /** The shard has started or stopped shedding. */
  onShedding(shard: number, shedding: boolean): void;
  /** A request has waited too long and was taken back. */
  onGivenUp(exchange: Exchange): void;
}

/**
 * Checks the rings regularly while requests are queued: how long they have waited, whether a shard is busy with a handler while another
 * one of its group sleeps, and which requests have timed out. HTTP thread.
 */
export class Watch {
  readonly #shards: Shards;
  readonly #exchanges: readonly Exchange[];
  readonly #queues: Queues;
  readonly #dispatcher: Dispatcher;
  readonly #gate: Gate;
  readonly #deadlines: Deadlines;
  readonly #events: WatchEvents;
  readonly #steal: boolean;
  readonly #timer: NodeJS.Timeout;
  readonly #slowTimer: NodeJS.Timeout;
  #fast = false;
  #slow = false;
  #sweptAt = 0;
  /** Requests claimed from each shard's rings at the last check. */
  readonly #left: Int32Array;
  /** The sequence number of the oldest request in each shard's ring that others could steal, at the last check. */
  readonly #oldest: Int32Array;

  constructor(
    shards: Shards,
    exchanges: readonly Exchange[],
    parts: { queues: Queues; dispatcher: Dispatcher; gate: Gate; deadlines: Deadlines; steal: boolean },
    events: WatchEvents,
  ) {
    this.#shards = shards;
    this.#exchanges = exchanges;
    this.#queues = parts.queues;
    this.#dispatcher = parts.dispatcher;
    this.#gate = parts.gate;
    this.#deadlines = parts.deadlines;
    this.#steal = parts.steal;
    this.#events = events;
    if (parts.steal) {
      shards.load.onHeldUp = (shard) => {
        if (this.#queues.lookAtOwn(shard) > 0 && shards.side.oldest(shard, false) >= 0) this.#wakeOther(shard);
      };
    }
    this.#left = new Int32Array(shards.map.shards);
    this.#oldest = new Int32Array(shards.map.shards);
    this.#timer = setTimeout(() => this.#look(), LOOK_MS).unref();
    this.#slowTimer = setTimeout(() => this.#lookSlowly(), SWEEP_MS).unref();
  }

  /** Called when a request was submitted to a ring. */
  published(): void {
    if (this.#fast) return;
    this.#fast = true;
    this.#timer.refresh();
  }

  /** Called when a request waits for a permit of its route, which another HTTP thread may release. */
  waiting(): void {
    if (this.#shards.map.httpThreads > 1) this.published();
  }

  /**
   * Called when a request has a deadline. It need not be in a ring: while it waits for a permit of its route it is in none, and nothing
   * else may happen before its deadline.
   */
  deadlinePending(): void {
    if (this.#fast || this.#slow) return;
    this.#slow = true;
    this.#slowTimer.refresh();
  }

  /** How long the oldest request of this HTTP thread has waited for each shard, in microseconds; 0 if none is queued. */
  waits(): number[] {
    const now = this.#shards.clock.nowUs();
    const { side, map } = this.#shards;
    return Array.from({ length: map.shards }, (_, shard) => this.#wait(shard, side.oldest(shard, false), now));
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#slowTimer);
  }

  #lookSlowly(): void {
    this.#slow = false;
    if (!this.#fast) this.#look();
  }

  #look(): void {
    this.#fast = false;
    const now = this.#shards.clock.nowUs();
    let waiting = false;
    for (let shard = 0; shard < this.#shards.map.shards; shard++) if (this.#lookAt(shard, now)) waiting = true;
    if (this.#deadlines.pending && now - this.#sweptAt >= SWEEP_MS * US_PER_MS) {
      this.#sweptAt = now;
      this.#deadlines.sweep(now);
    }
    if (this.#dispatcher.retryWaiting()) this.waiting();
    if (waiting) this.published();
    else if (this.#deadlines.pending) this.deadlinePending();
  }

  /** Returns whether to check the shard again soon. */
  #lookAt(shard: number, now: number): boolean {
    const { side } = this.#shards;
    this.#queues.look(shard);
    const queued = this.#queues.own(shard);
    const stealable = queued === 0 ? -1 : side.oldest(shard, false);
    // For metrics too. All HTTP threads see the same wait, so they start shedding at about the same time.
    const own = queued === 0 ? 0 : this.#wait(shard, stealable, now);
    side.figures.setWait(shard, own);
    const overload = this.#gate.overloads[shard];
    if (overload !== undefined) {
      const left = this.#queues.claimed(shard, queued);
      const before = overload.shedding;
      overload.look(now, Math.max(own, side.figures.longestWaitOfOthers(shard)), (left - this.#left[shard]) | 0);
      this.#left[shard] = left;
      if (overload.shedding !== before) this.#events.onShedding(shard, overload.shedding);
      if (overload.shedding) this.#giveUpLate(shard, now);
    }
    if (this.#steal) this.#helpIfStuck(shard, stealable);
    return queued > 0 || overload?.shedding === true;
  }

  /** How long the oldest request in the shard's rings has waited, in microseconds. */
  #wait(shard: number, stealable: number, now: number): number {
    const bound = this.#shards.side.oldest(shard, true);
    const wait = (slot: number) => (slot < 0 ? 0 : now - this.#dispatcher.passages[slot].submittedAt);
    return Math.max(wait(stealable), wait(bound));
  }

  #giveUpLate(shard: number, now: number): void {
    for (const bound of [false, true]) {
      for (;;) {
        const slot = this.#shards.side.oldest(shard, bound);
        if (slot < 0) break;
        const { rank, submittedAt } = this.#dispatcher.passages[slot];
        if (!this.#gate.overloads[shard].gaveUpOn(rank, now - submittedAt)) break;
        if (!this.#dispatcher.recall(slot)) break;
        this.#events.onGivenUp(this.#exchanges[slot]);
      }
    }
  }

  /** If no shard has claimed from the shard's ring since the last check, wakes a sleeping one of its group. */
  #helpIfStuck(shard: number, stealable: number): void {
    const oldest = stealable < 0 ? 0 : this.#exchanges[stealable].sequence;
    const stuck = oldest !== 0 && oldest === this.#oldest[shard];
    this.#oldest[shard] = oldest;
    if (stuck) this.#wakeOther(shard);
  }

  /** Wakes a sleeping shard of the group, which steals from the shard's ring. */
  #wakeOther(shard: number): void {
    const { first, count } = this.#shards.groupOf(shard);
    for (let other = first; other < first + count; other++) {
      if (other !== shard && this.#shards.load.ready[other] === 1 && this.#shards.side.words.wake(other)) return;
    }
  }
}
