import {
  COUNTER_BATCHES_OFFSET,
  COUNTER_CALLED_AT_OFFSET,
  COUNTER_CALLED_ROUTE_OFFSET,
  COUNTER_INSPECTED_OFFSET,
  COUNTER_OBSERVED_OFFSET,
  COUNTER_PARKS_OFFSET,
  COUNTER_THREAD_TIME_OFFSET,
  COUNTER_UPGRADES_OFFSET,
  DOORBELL_PARKED_OFFSET,
  WORD_BYTES,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { Semaphore } from '../core/semaphore.js';
import { readCounter, readCounters, resetCounters, type ShardCounters } from './counters.js';
import { type MemoryMap, shardAddresses } from './memory-map.js';

/** How many requests a shard has claimed from the rings of another one. */
export interface Stolen {
  from: number;
  count: number;
}

/** The words of all shards that other threads read: doorbell, permits and counters. Any thread. */
export class ShardWords {
  readonly #core: CoreMemory;
  readonly #doorbells: readonly number[];
  readonly #permits: readonly Semaphore[];
  readonly #counters: readonly number[];
  readonly #stolen: readonly number[];

  constructor(core: CoreMemory, map: MemoryMap) {
    this.#core = core;
    const shards = Array.from({ length: map.shards }, (_, shard) => shardAddresses(map, shard));
    this.#doorbells = shards.map(({ doorbell }) => doorbell);
    this.#permits = shards.map(({ permits }) => Semaphore.attach(core, permits));
    this.#counters = shards.map(({ counters }) => counters);
    this.#stolen = shards.map(({ stolen }) => stolen);
  }

  /** Wakes `shard` if it is parked. */
  wake(shard: number): boolean {
    return this.#core.wasm.doorbellRing(this.#doorbells[shard]) === 1;
  }

  isParked(shard: number): boolean {
    return Atomics.load(this.#core.i32, this.#parkedIndex(shard)) === 1;
  }

  /**
   * Resets the words of a shard whose thread has exited: not parked, all permits free, nothing waiting or running. Control thread.
   */
  reset(shard: number, permits: number): void {
    Atomics.store(this.#core.i32, this.#parkedIndex(shard), 0);
    resetCounters(this.#core, this.#counters[shard]);
    Semaphore.create(this.#core, permits, this.#permits[shard].address);
  }

  /**
   * Sets what the doorbell of a shard without a thread says: a free number counts as asleep, so that the shards after it are the first that
   * are awake. Control thread, before the next thread starts.
   */
  setParked(shard: number, isParked: boolean): void {
    Atomics.store(this.#core.i32, this.#parkedIndex(shard), isParked ? 1 : 0);
  }

  #parkedIndex(shard: number): number {
    return (this.#doorbells[shard] + DOORBELL_PARKED_OFFSET) >> 2;
  }

  /** Changes how many handlers may be in flight on `shard`; running handlers are not affected. */
  setPermits(shard: number, permits: number): void {
    this.#permits[shard].setLimit(permits);
  }

  permits(shard: number): { available: number; limit: number } {
    const { available, limit } = this.#permits[shard];
    return { available, limit };
  }

  /** How many handlers may be in flight on `shard`. */
  permitLimit(shard: number): number {
    return this.#permits[shard].limit;
  }

  /** Thread time in nanoseconds that a request recently took on `shard`; 0 if unknown. */
  threadTime(shard: number): number {
    return this.#counter(shard, COUNTER_THREAD_TIME_OFFSET);
  }

  /** When the handler that is running on the thread of `shard` was called, by the server's clock; 0 if none is. */
  calledAt(shard: number): number {
    return this.#counter(shard, COUNTER_CALLED_AT_OFFSET);
  }

  /** Connections that `shard` has taken over. */
  upgrades(shard: number): number {
    return this.#counter(shard, COUNTER_UPGRADES_OFFSET);
  }

  /**
   * The route whose handler occupies the event loop of `shard`: its number, or -1 for a request without a route; undefined if no handler does.
   * What handlers do after an `await` is not seen.
   */
  running(shard: number): { route: number; calledAt: number } | undefined {
    // The shard writes the route first. A second look makes it unlikely that a time is paired with the route of the next call.
    for (let calledAt = this.calledAt(shard); calledAt !== 0; ) {
      const route = this.#counter(shard, COUNTER_CALLED_ROUTE_OFFSET) | 0;
      const again = this.calledAt(shard);
      if (again === calledAt) return { route, calledAt };
      calledAt = again;
    }
    return undefined;
  }

  /** The shards from whose rings `shard` has claimed. */
  stolen(shard: number): Stolen[] {
    const counts = this.#stolen.map((_, from) => readCounter(this.#core, this.#stolen[shard], from * WORD_BYTES));
    return counts.map((count, from) => ({ from, count })).filter(({ count }) => count > 0);
  }

  /** Whether an inspector of the thread of `shard` is open, as of the last second. */
  isInspected(shard: number): boolean {
    return this.#counter(shard, COUNTER_INSPECTED_OFFSET) === 1;
  }

  /** Whether requests are traced, or somebody listens to their events, on `shard`. */
  isObserving(shard: number): boolean {
    return this.#counter(shard, COUNTER_OBSERVED_OFFSET) === 1;
  }

  /** A number that changes whenever `shard` claims, or parks because it has found nothing to claim. */
  progress(shard: number): number {
    return (this.#counter(shard, COUNTER_BATCHES_OFFSET) + this.#counter(shard, COUNTER_PARKS_OFFSET)) | 0;
  }

  #counter(shard: number, offset: number): number {
    return readCounter(this.#core, this.#counters[shard], offset);
  }

  counters(shard: number): ShardCounters {
    return readCounters(this.#core, this.#counters[shard]);
  }
}
