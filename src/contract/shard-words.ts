import {
  COUNTER_BATCHES_OFFSET,
  COUNTER_CALLED_AT_OFFSET,
  COUNTER_INSPECTED_OFFSET,
  COUNTER_OBSERVED_OFFSET,
  COUNTER_PARKS_OFFSET,
  COUNTER_THREAD_TIME_OFFSET,
  DOORBELL_PARKED_OFFSET,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { Semaphore } from '../core/semaphore.js';
import { readCounter, readCounters, resetCounters, type ShardCounters } from './counters.js';
import { type MemoryMap, shardAddresses } from './memory-map.js';

/** The words of all shards that other threads read: doorbell, permits and counters. Any thread. */
export class ShardWords {
  readonly #core: CoreMemory;
  readonly #doorbells: readonly number[];
  readonly #permits: readonly Semaphore[];
  readonly #counters: readonly number[];

  constructor(core: CoreMemory, map: MemoryMap) {
    this.#core = core;
    const shards = Array.from({ length: map.shards }, (_, shard) => shardAddresses(map, shard));
    this.#doorbells = shards.map(({ doorbell }) => doorbell);
    this.#permits = shards.map(({ permits }) => Semaphore.attach(core, permits));
    this.#counters = shards.map(({ counters }) => counters);
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
