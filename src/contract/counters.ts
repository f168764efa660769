import {
  COUNTER_ABANDONED_OFFSET,
  COUNTER_BATCHES_OFFSET,
  COUNTER_CALLED_AT_OFFSET,
  COUNTER_EXTENT_WAITING_OFFSET,
  COUNTER_EXTENT_WAITS_OFFSET,
  COUNTER_INSPECTED_OFFSET,
  COUNTER_LONG_MEAN_OFFSET,
  COUNTER_LOST_WAKE_UPS_OFFSET,
  COUNTER_OBSERVED_OFFSET,
  COUNTER_PARKS_OFFSET,
  COUNTER_SHORT_MEAN_OFFSET,
  COUNTER_STARTED_OFFSET,
  COUNTER_STEALS_OFFSET,
  COUNTER_STREAMS_OFFSET,
  COUNTER_THREAD_TIME_OFFSET,
  COUNTER_UPGRADES_OFFSET,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';

/** Counters that a shard keeps about itself. The words wrap at 2³². */
export interface ShardCounters {
  /** Handlers started, including those of stolen requests. */
  requests: number;
  /** Batches claimed. */
  batches: number;
  /** Requests claimed from the rings of other shards of the group. */
  steals: number;
  /** How often the shard parked. */
  parks: number;
  /** Requests that no doorbell announced. Zero unless LoopShard has a bug. */
  lostWakeUps: number;
  /** Responses that had to wait for an extent, and those that are waiting now. */
  extentWaits: number;
  /** Responses that are waiting for an extent now. */
  extentWaiting: number;
  /** Handlers that have not settled although their requests are over: they got 504, or their clients have disconnected. */
  abandoned: number;
  /** Responses being streamed, and upgraded connections. */
  streams: number;
  /** Upgraded connections, such as WebSockets, that the shard has taken over. */
  upgrades: number;
  /** Mean handler times that the limiter of adaptive permits uses, in microseconds. 0 with a fixed number of permits. */
  shortMeanUs: number;
  /** The long-term mean, in microseconds. */
  longMeanUs: number;
}

/**
 * @param address of the shard's counters
 * @param offset one of COUNTER_*_OFFSET
 */
export function readCounter({ i32 }: CoreMemory, address: number, offset: number): number {
  return Atomics.load(i32, (address + offset) >> 2) >>> 0;
}

/** @param address of the shard's counters */
export function readCounters(core: CoreMemory, address: number): ShardCounters {
  const read = (offset: number) => readCounter(core, address, offset);
  return {
    requests: read(COUNTER_STARTED_OFFSET),
    batches: read(COUNTER_BATCHES_OFFSET),
    steals: read(COUNTER_STEALS_OFFSET),
    parks: read(COUNTER_PARKS_OFFSET),
    lostWakeUps: read(COUNTER_LOST_WAKE_UPS_OFFSET),
    extentWaits: read(COUNTER_EXTENT_WAITS_OFFSET),
    extentWaiting: read(COUNTER_EXTENT_WAITING_OFFSET),
    abandoned: read(COUNTER_ABANDONED_OFFSET),
    streams: read(COUNTER_STREAMS_OFFSET),
    upgrades: read(COUNTER_UPGRADES_OFFSET),
    shortMeanUs: read(COUNTER_SHORT_MEAN_OFFSET),
    longMeanUs: read(COUNTER_LONG_MEAN_OFFSET),
  };
}

/** Resets what a thread that has ended counted about its current state; totals are kept. */
export function resetCounters(core: CoreMemory, address: number): void {
  const writer = new CounterWriter(core, address);
  for (const offset of PRESENT) writer.set(offset, 0);
}

const PRESENT = [
  COUNTER_EXTENT_WAITING_OFFSET,
  COUNTER_ABANDONED_OFFSET,
  COUNTER_THREAD_TIME_OFFSET,
  COUNTER_CALLED_AT_OFFSET,
  COUNTER_STREAMS_OFFSET,
  COUNTER_INSPECTED_OFFSET,
  COUNTER_UPGRADES_OFFSET,
  COUNTER_OBSERVED_OFFSET,
];

/** Writes the counters of a shard. For the shard's thread; after its exit, for the control thread. */
export class CounterWriter {
  readonly #i32: Int32Array;
  readonly #word: number;

  /** @param address of the shard's counters */
  constructor({ i32 }: CoreMemory, address: number) {
    this.#i32 = i32;
    this.#word = address >> 2;
  }

  /** @param offset one of COUNTER_*_OFFSET */
  add(offset: number, by: number): void {
    const index = this.#word + (offset >> 2);
    // Only this thread writes the word, so the addition need not be atomic.
    this.#i32[index] = (this.#i32[index] + by) | 0;
  }

  /**
   * Stores a value that other threads may see late.
   * @param offset one of COUNTER_*_OFFSET
   */
  put(offset: number, value: number): void {
    this.#i32[this.#word + (offset >> 2)] = value;
  }

  /** @param offset one of COUNTER_*_OFFSET */
  set(offset: number, value: number): void {
    Atomics.store(this.#i32, this.#word + (offset >> 2), value);
  }
}
