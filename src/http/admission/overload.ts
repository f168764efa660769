import { PRIORITIES } from '../../options/scheduling.js';

const US_PER_MS = 1_000;
const HIGH = PRIORITIES.indexOf('high');
const NORMAL = PRIORITIES.indexOf('normal');
/** How much of a new rate counts: some ten looks of 2 ms make the rate. */
const RATE_WEIGHT = 0.1;

/**
 * Whether one shard has too much to do, after CoDel (Nichols and Jacobson, RFC 8289): not how many wait says so, but that the
 * wait stays above a target for an interval. From then on as many may wait as the shard gets through within the target, and
 * nobody longer than that (as Maurer has it: "Fail at Scale", ACM Queue 13(8), 2015), until the wait has been below half of
 * the target for an interval. HTTP thread.
 */
export class Overload {
  shedding = false;
  readonly #targetUs: number;
  readonly #intervalUs: number;
  /** Since when the wait is above the target; while it sheds, since when it is below half of it. */
  #since: number | undefined;
  /** The wait was above the target at the last look. */
  #late = false;
  #lookedAt: number | undefined;
  /** Requests that leave the ring in a millisecond. */
  #rate = 0;

  constructor({ targetMs, intervalMs }: { targetMs: number; intervalMs: number }) {
    this.#targetUs = targetMs * US_PER_MS;
    this.#intervalUs = intervalMs * US_PER_MS;
  }

  /**
   * A look at the shard's ring.
   * @param nowUs by the server's clock
   * @param waitUs how long the oldest request has waited; 0 if none does
   * @param left how many requests were claimed since the last look
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
   * Should a request of this rank be refused?
   * @param queued how many wait
   */
  refuses(rank: number, queued: number): boolean {
    if (rank === HIGH) return false;
    if (rank > NORMAL) return this.shedding || this.#late;
    return this.shedding && queued >= this.#room;
  }

  /** Is it too late for a request that has waited for `waitUs`? */
  gaveUpOn(rank: number, waitUs: number): boolean {
    return this.shedding && rank !== HIGH && waitUs > this.#targetUs;
  }

  /** How many requests the shard gets through within the target (Little's law); one at the least, so that it is never idle. */
  get #room(): number {
    return Math.max(1, (this.#rate * this.#targetUs) / US_PER_MS);
  }
}
