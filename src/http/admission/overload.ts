import { PRIORITIES } from '../../options/scheduling.js';

const US_PER_MS = 1_000;
const HIGH = PRIORITIES.indexOf('high');
const NORMAL = PRIORITIES.indexOf('normal');
/** Weight of a new sample of the rate: about ten checks, 2 ms apart, determine it. */
const RATE_WEIGHT = 0.1;

/**
 * Detects that one shard is overloaded, after CoDel (Nichols and Jacobson, RFC 8289): not by the length of its queue, but by a wait that
 * stays above a target for an interval. From then on, the queue is limited to what the shard works off within the target, and no request
 * waits longer than the target (after Maurer: "Fail at Scale", ACM Queue 13(8), 2015), until the wait has been below half of the target for
 * an interval. HTTP thread.
 */
export class Overload {
  shedding = false;
  readonly #targetUs: number;
  readonly #intervalUs: number;
  /** Since when the wait has been above the target; while shedding, since when it has been below half of it. */
  #since: number | undefined;
  /** Whether the wait was above the target at the last check. */
  #late = false;
  #lookedAt: number | undefined;
  /** Requests claimed per millisecond. */
  #rate = 0;

  constructor({ targetMs, intervalMs }: { targetMs: number; intervalMs: number }) {
    this.#targetUs = targetMs * US_PER_MS;
    this.#intervalUs = intervalMs * US_PER_MS;
  }

  /**
   * Checks the shard's ring.
   * @param nowUs by the server's clock
   * @param waitUs how long the oldest request has waited; 0 if none is queued
   * @param left number of requests claimed since the last check
   */
  look(nowUs: number, waitUs: number, left: number): void {
    if (this.#lookedAt !== undefined && nowUs !== this.#lookedAt) {
      const elapsedMs = (nowUs - this.#lookedAt) / US_PER_MS;
      this.#rate += (left / elapsedMs - this.#rate) * RATE_WEIGHT;
    }
    this.#lookedAt = nowUs;
    this.#late = waitUs > this.#targetUs;
    const turning = this.shedding ? waitUs < this.#targetUs / 2 : this.#late;
    if (!turning) {
      this.#since = undefined;
      return;
    }
    this.#since ??= nowUs;
    if (nowUs - this.#since < this.#intervalUs) return;
    this.shedding = !this.shedding;
    this.#since = undefined;
  }

  /**
   * Whether to reject a request of this rank.
   * @param queued number of queued requests
   */
  refuses(rank: number, queued: number): boolean {
    if (rank === HIGH) return false;
    if (rank > NORMAL) return this.shedding || this.#late;
    return this.shedding && queued >= this.#room;
  }

  /** Whether to reject a queued request that has waited for `waitUs`. */
  gaveUpOn(rank: number, waitUs: number): boolean {
    return this.shedding && rank !== HIGH && waitUs > this.#targetUs;
  }

  /** Number of requests that the shard works off within the target (Little's law); at least one, so that it is never idle. */
  get #room(): number {
    return Math.max(1, (this.#rate * this.#targetUs) / US_PER_MS);
  }
}
