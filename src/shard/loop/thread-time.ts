import { performance } from 'node:perf_hooks';
import { COUNTER_THREAD_TIME_OFFSET } from '../../../assembly/layout.js';
import type { CounterWriter } from '../../contract/counters.js';

/** Weight of the latest turn. */
const WEIGHT = 1 / 8;
/** Captured when the module is loaded, because tests in handlers may replace it. */
const utilization = performance.eventLoopUtilization.bind(performance);
/** Maximum for the first turn, in microseconds: code is slow when it runs for the first time. */
const FIRST_US = 500;
/** Maximum for a turn, as a multiple of the mean: when threads outnumber cores, some turns are interrupted for milliseconds. */
const OUTLIER = 4;
/** Maximum time of an empty turn of the event loop. Any time above that was spent in user code. */
const EMPTY_TURN_US = 20;
const US_PER_MS = 1_000;
const NS_PER_US = 1_000;

/** Shorter stretches are not worth reading the utilization for, in microseconds. */
const NOTABLE_US = 100;

/**
 * Measures the thread time of a request: its start, and what its handler does after an `await`, by Node.js's event loop utilization.
 * The HTTP thread uses it to pick a shard, and the loop to bound what it claims and starts. Shard only.
 */
export class ThreadTime {
  readonly #counters: CounterWriter;
  /** Time that handlers of earlier requests took between turns. */
  #behindUs = 0;
  /** Active time of the event loop at the end of the last turn; -1 if no handlers were in flight then. */
  #activeUs = -1;
  /** Mean of recent requests, in microseconds; 0 before the first measurement. */
  meanUs = 0;
  /** When `resumedUs` was last called since the last turn, and the active time of the event loop then, or at the end of that turn. */
  #seenAt = Number.NEGATIVE_INFINITY;
  #seenActiveUs = -1;

  constructor(counters: CounterWriter) {
    this.#counters = counters;
  }

  /**
   * Records a turn of the shard's loop.
   * @param started number of requests started
   * @param us time spent starting them, in microseconds
   * @param inFlight number of handlers that have not settled
   */
  turned(started: number, us: number, inFlight: number): void {
    const active = this.#activeUs >= 0 || inFlight > 0 ? activeUs() : -1;
    if (this.#activeUs >= 0) {
      const between = active - this.#activeUs - us;
      this.#behindUs += Math.max(0, started === 0 ? between - EMPTY_TURN_US : between);
    }
    if (started > 0) {
      this.#learn((us + this.#behindUs) / started);
      this.#behindUs = 0;
    }
    this.#activeUs = inFlight > 0 ? active : -1;
    this.#seenAt = Number.NEGATIVE_INFINITY;
    this.#seenActiveUs = this.#activeUs;
  }

  /**
   * Returns the active time of the event loop since the last turn or the last call, in microseconds, for a handler that settles after an
   * `await`: usually it has used this time itself. 0 if it is below 100.
   * @param now time by the server's clock
   */
  resumedUs(now: number): number {
    if (this.#seenActiveUs < 0 || now - this.#seenAt < NOTABLE_US) return 0;
    const active = activeUs();
    const us = active - this.#seenActiveUs;
    this.#seenAt = now;
    this.#seenActiveUs = active;
    return us < NOTABLE_US ? 0 : us;
  }

  #learn(us: number): void {
    this.meanUs +=
      this.meanUs === 0 ? Math.min(us, FIRST_US) : (Math.min(us, OUTLIER * this.meanUs) - this.meanUs) * WEIGHT;
    this.#counters.put(COUNTER_THREAD_TIME_OFFSET, Math.ceil(this.meanUs * NS_PER_US));
  }
}

/** Active time of the event loop in microseconds, without the time it was idle. */
function activeUs(): number {
  return utilization().active * US_PER_MS;
}
