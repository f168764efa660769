import { SEMAPHORE_AVAILABLE_OFFSET, SEMAPHORE_BYTES } from '../../assembly/layout.js';
import { LoopShardError } from '../errors.js';
import type { CoreMemory } from './memory.js';

const MAX_PERMITS = 2 ** 30;

/** A counting semaphore in shared memory. Any thread may acquire and release permits. */
export class Semaphore {
  /** Address in the shared memory, for `attach()` on other threads. */
  readonly address: number;
  readonly #core: CoreMemory;
  readonly #availableIndex: number;

  private constructor(core: CoreMemory, address: number) {
    this.#core = core;
    this.address = address;
    this.#availableIndex = (address + SEMAPHORE_AVAILABLE_OFFSET) >> 2;
  }

  /**
   * @param permits 1 to 2³⁰
   * @param address `SEMAPHORE_BYTES` bytes that are no longer in use. Default: newly allocated
   * @throws LoopShardError OPTION_INVALID, MEMORY_EXHAUSTED
   */
  static create(core: CoreMemory, permits: number, address = core.allocate(SEMAPHORE_BYTES)): Semaphore {
    checkPermits(permits);
    core.wasm.semaphoreInitialize(address, permits);
    return new Semaphore(core, address);
  }

  /** Attaches to the semaphore that another thread created at `address`. */
  static attach(core: CoreMemory, address: number): Semaphore {
    return new Semaphore(core, address);
  }

  /** Number of free permits. An estimate while other threads run. */
  get available(): number {
    return this.#core.wasm.semaphoreAvailable(this.address);
  }

  /** Number of all permits, free and acquired. */
  get limit(): number {
    return this.#core.wasm.semaphoreLimit(this.address);
  }

  /** Changes the limit. Permits that are held stay valid. */
  setLimit(permits: number): void {
    checkPermits(permits);
    this.#core.wasm.semaphoreSetLimit(this.address, permits);
  }

  /** Acquires all of `permits` or none, without waiting. */
  tryAcquire(permits = 1): boolean {
    checkPermits(permits);
    return this.#core.wasm.semaphoreTryAcquire(this.address, permits) === 1;
  }

  /**
   * Acquires `permits`, all at once, and blocks the calling thread until it has them.
   * @param timeoutMs how long to wait, at most. Default: no limit
   * @returns `false` on timeout
   */
  acquire(permits = 1, timeoutMs = Number.POSITIVE_INFINITY): boolean {
    checkPermits(permits);
    const deadline = performance.now() + timeoutMs;
    while (!this.tryAcquire(permits)) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const seen = this.#core.wasm.semaphoreAwait(this.address);
      if (seen < permits) Atomics.wait(this.#core.i32, this.#availableIndex, seen, left);
      this.#core.wasm.semaphoreLeave(this.address);
    }
    return true;
  }

  /** Like `acquire`, without blocking. A waiter does not keep the event loop alive. */
  async acquireAsync(permits = 1, timeoutMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    checkPermits(permits);
    const deadline = performance.now() + timeoutMs;
    while (!this.tryAcquire(permits)) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const seen = this.#core.wasm.semaphoreAwait(this.address);
      if (seen < permits) await Atomics.waitAsync(this.#core.i32, this.#availableIndex, seen, left).value;
      this.#core.wasm.semaphoreLeave(this.address);
    }
    return true;
  }

  /** Releases permits and wakes waiters. */
  release(permits = 1): void {
    checkPermits(permits);
    this.#core.wasm.semaphoreRelease(this.address, permits);
  }
}

function checkPermits(permits: number): void {
  if (!Number.isInteger(permits) || permits < 1 || permits > MAX_PERMITS) {
    throw new LoopShardError(
      'OPTION_INVALID',
      `Invalid number of permits: expected an integer from 1 to ${MAX_PERMITS}, got ${permits}.`,
    );
  }
}
