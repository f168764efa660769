import {
  MAX_BATCH,
  MAX_RING_CAPACITY,
  RING_ENTRIES_OFFSET,
  RING_ENTRY_BYTES,
  RING_MASK_OFFSET,
} from '../../assembly/layout.js';
import { LoopShardError } from '../errors.js';
import type { CoreMemory } from './memory.js';

/** From so many values on a loop takes longer than a call of `set`. */
const LONG = 64;

/** What the largest batch takes. */
export const BATCH_BYTES = MAX_BATCH * RING_ENTRY_BYTES;

/** Bytes that a ring of `capacity` entries takes. */
export function ringBytes(capacity: number): number {
  return RING_ENTRIES_OFFSET + capacity * RING_ENTRY_BYTES;
}

/** The smallest power of two that is not below `entries`. */
export function ringCapacity(entries: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, entries)));
}

/**
 * A bounded queue of 32-bit integers between threads: one producer; one consumer that polls, or any number that claim.
 * Nothing here blocks.
 */
export class Ring {
  readonly address: number;
  readonly capacity: number;
  readonly #core: CoreMemory;
  /** Where batches cross between WASM and JavaScript; this thread's alone. */
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
   * Makes an empty ring, for others to attach to.
   * @param address where it lies, if that was allocated before: `ringBytes(capacity)` that nobody uses any more
   * @returns its address
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
   * The ring that another thread created, by its `address`.
   * @param batch address of `BATCH_BYTES` that only this thread uses; rings may share it
   */
  static attach(core: CoreMemory, address: number, batch = core.allocate(BATCH_BYTES)): Ring {
    return new Ring(core, address, batch);
  }

  /** Values that wait. A moment's estimate while other threads run. */
  get length(): number {
    return this.#core.wasm.ringLength(this.address);
  }

  /** The producer only. `false` when the ring is full. */
  publish(value: number): boolean {
    return this.#core.wasm.ringPublish(this.address, value) === 1;
  }

  /** The producer only: as many of `values` as fit (at most 1,024 a call), with one publication. Returns how many. */
  publishBatch(values: Int32Array): number {
    const count = Math.min(values.length, MAX_BATCH);
    const { i32, wasm } = this.#core;
    const start = this.#batch >> 2;
    if (count >= LONG) i32.set(count === values.length ? values : values.subarray(0, count), start);
    else for (let i = 0; i < count; i++) i32[start + i] = values[i];
    return wasm.ringPublishBatch(this.address, this.#batch, count);
  }

  /** The only consumer: fills `into` with what waits, oldest first (at most 1,024 a call). Returns how many. */
  poll(into: Int32Array): number {
    const max = Math.min(into.length, MAX_BATCH);
    return this.#copy(into, this.#core.wasm.ringPoll(this.address, this.#batch, max));
  }

  /** Like `poll`, for rings that several threads consume: each value goes to one of them. */
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
