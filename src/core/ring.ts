import {
  MAX_BATCH,
  MAX_RING_CAPACITY,
  RING_ENTRIES_OFFSET,
  RING_ENTRY_BYTES,
  RING_MASK_OFFSET,
} from '../../assembly/layout.js';
import { LoopShardError } from '../errors.js';
import type { CoreMemory } from './memory.js';

/** From this many values on, `set` is faster than a loop. */
const LONG = 64;

/** Size of the largest batch. */
export const BATCH_BYTES = MAX_BATCH * RING_ENTRY_BYTES;

/** Size of a ring with `capacity` entries, in bytes. */
export function ringBytes(capacity: number): number {
  return RING_ENTRIES_OFFSET + capacity * RING_ENTRY_BYTES;
}

/** Rounds `entries` up to a power of two. */
export function ringCapacity(entries: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, entries)));
}

/**
 * A bounded queue of 32-bit integers between threads, with one producer, and either one consumer that polls or any number that claim.
 * No method blocks.
 */
export class Ring {
  /** Address in the shared memory, for `attach()` on other threads. */
  readonly address: number;
  /** How many entries the ring holds. */
  readonly capacity: number;
  readonly #core: CoreMemory;
  /** Buffer for batches between WASM and JavaScript, used only by this thread. */
  readonly #batch: number;

  private constructor(core: CoreMemory, address: number, batch: number) {
    this.#core = core;
    this.address = address;
    this.capacity = core.i32[(address + RING_MASK_OFFSET) >> 2] + 1;
    this.#batch = batch;
  }

  /**
   * @param capacity entries, 2 to 1,048,576; rounded up to a power of two
   * @throws LoopShardError OPTION_INVALID, MEMORY_EXHAUSTED
   */
  static create(core: CoreMemory, capacity: number): Ring {
    return Ring.attach(core, Ring.initialize(core, capacity));
  }

  /**
   * Initializes an empty ring, for others to attach to.
   * @param address `ringBytes(capacity)` bytes that are no longer in use. Default: newly allocated
   * @returns the address of the ring
   * @throws LoopShardError OPTION_INVALID, MEMORY_EXHAUSTED
   */
  static initialize(core: CoreMemory, capacity: number, address?: number): number {
    if (!Number.isInteger(capacity) || capacity < 2 || capacity > MAX_RING_CAPACITY) {
      throw new LoopShardError(
        'OPTION_INVALID',
        `Invalid capacity of a ring: expected an integer from 2 to ${MAX_RING_CAPACITY}, got ${capacity}.`,
      );
    }
    const entries = ringCapacity(capacity);
    const start = address ?? core.allocate(ringBytes(entries));
    core.wasm.ringInitialize(start, entries);
    return start;
  }

  /**
   * Attaches to the ring that another thread created at `address`.
   * @param batch address of `BATCH_BYTES` bytes that only this thread uses; several rings may share them
   */
  static attach(core: CoreMemory, address: number, batch = core.allocate(BATCH_BYTES)): Ring {
    return new Ring(core, address, batch);
  }

  /** Number of queued values. An estimate while other threads run. */
  get length(): number {
    return this.#core.wasm.ringLength(this.address);
  }

  /** Publishes a value. Returns `false` if the ring is full. Producer only. */
  publish(value: number): boolean {
    return this.#core.wasm.ringPublish(this.address, value) === 1;
  }

  /** Publishes as many of `values` as fit, at most 1,024, at once. Returns how many. Producer only. */
  publishBatch(values: Int32Array): number {
    const count = Math.min(values.length, MAX_BATCH);
    const { i32, wasm } = this.#core;
    const start = this.#batch >> 2;
    if (count >= LONG) i32.set(count === values.length ? values : values.subarray(0, count), start);
    else for (let i = 0; i < count; i++) i32[start + i] = values[i];
    return wasm.ringPublishBatch(this.address, this.#batch, count);
  }

  /** Moves queued values to `into`, oldest first, at most 1,024. Returns how many. For a single consumer. */
  poll(into: Int32Array): number {
    const max = Math.min(into.length, MAX_BATCH);
    return this.#copy(into, this.#core.wasm.ringPoll(this.address, this.#batch, max));
  }

  /** Like `poll`, for rings with several consumers: each value goes to one of them. */
  claim(into: Int32Array): number {
    const max = Math.min(into.length, MAX_BATCH);
    return this.#copy(into, this.#core.wasm.ringClaim(this.address, this.#batch, max));
  }

  #copy(into: Int32Array, count: number): number {
    const { i32 } = this.#core;
    const start = this.#batch >> 2;
    if (count >= LONG) into.set(i32.subarray(start, start + count));
    else for (let i = 0; i < count; i++) into[i] = i32[start + i];
    return count;
  }
}
