import { performance } from 'node:perf_hooks';
import { COUNTER_THREAD_TIME_OFFSET } from '../../../assembly/layout.js';
import type { CounterWriter } from '../../contract/counters.js';

/** How much the latest turn counts. */
const WEIGHT = 1 / 8;
/** Taken when the module is loaded: tests in handlers may put others in their place. */
const utilization = performance.eventLoopUtilization.bind(performance);
/** The first turn counts no more than that, in microseconds: code that runs for the first time is slow. */
const FIRST_US = 500;
/** A turn counts as so many times the mean at the most: when threads outnumber cores, some turns are interrupted for milliseconds. */
const OUTLIER = 4;
/** A turn of the event loop in which nothing happens takes no longer: what a longer one took, code of users did. */
const EMPTY_TURN_US = 20;
const US_PER_MS = 1_000;
const NS_PER_US = 1_000;

/**
 * How much of the shard's thread a request takes: its start, and what its handler does behind an `await`, by Node.js's event
 * loop utilization. The HTTP thread goes by it when it picks a shard. Shard.
 */
export class ThreadTime {
  readonly #counters: CounterWriter;
  /** What handlers have done between turns for requests that were started before. */
  #behindUs = 0;
  /** How long the event loop had been active at the end of the last turn, if handlers were in flight then. */
  #activeUs = -1;
  #meanUs = 0;

  constructor(counters: CounterWriter) {
    this.#counters = counters;
  }

  /**
   * A turn of the shard's loop is over.
   * @param started requests
   * @param us for which it has started them
   * @param inFlight handlers that have not settled
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
  }

  #learn(us: number): void {
    this.#meanUs +=
      this.#meanUs === 0 ? Math.min(us, FIRST_US) : (Math.min(us, OUTLIER * this.#meanUs) - this.#meanUs) * WEIGHT;
    this.#counters.put(COUNTER_THREAD_TIME_OFFSET, Math.ceil(this.#meanUs * NS_PER_US));
  }
}

/** Without the time for which the event loop waited for something to happen. */
function activeUs(): number {
  return utilization().active * US_PER_MS;
}
