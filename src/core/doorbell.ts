import { DOORBELL_BELL_OFFSET, DOORBELL_BYTES, DOORBELL_PARKED_OFFSET } from '../../assembly/layout.js';
import type { CoreMemory } from './memory.js';

/** A word in shared memory on which one thread, the owner, parks until another thread rings (assembly/doorbell.ts). */
export class Doorbell {
  /** Address in the shared memory, for `attach()` on other threads. */
  readonly address: number;
  readonly #core: CoreMemory;
  readonly #bellIndex: number;

  private constructor(core: CoreMemory, address: number) {
    this.#core = core;
    this.address = address;
    this.#bellIndex = (address + DOORBELL_BELL_OFFSET) >> 2;
  }

  /**
   * Creates a doorbell in newly allocated memory.
   * @throws LoopShardError MEMORY_EXHAUSTED
   */
  static create(core: CoreMemory): Doorbell {
    return new Doorbell(core, core.allocate(DOORBELL_BYTES));
  }

  /** Attaches to the doorbell at `address`, created by another thread or part of a larger block. */
  static attach(core: CoreMemory, address: number): Doorbell {
    return new Doorbell(core, address);
  }

  /**
   * Announces that the owner is about to park. It must then check for work once more, and either wait with the returned value or call
   * `unpark`. Owner only.
   */
  park(): number {
    return this.#core.wasm.doorbellPark(this.address);
  }

  /** Announces that the owner is awake. Owner only. */
  unpark(): void {
    this.#core.wasm.doorbellUnpark(this.address);
  }

  /** Whether the owner has announced that it parks and nobody has rung since. */
  get parked(): boolean {
    return Atomics.load(this.#core.i32, (this.address + DOORBELL_PARKED_OFFSET) >> 2) === 1;
  }

  /** Wakes the owner if it is parked. Call it after publishing. Never blocks. Any thread. */
  ring(): boolean {
    return this.#core.wasm.doorbellRing(this.address) === 1;
  }

  /** Blocks until the bell is rung. Returns `false` on timeout. Owner only. */
  wait(bell: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#core.i32, this.#bellIndex, bell, timeoutMs) !== 'timed-out';
  }

  /** Resolves when the bell is rung. Does not keep the event loop alive. Owner only. */
  waitAsync(bell: number, timeoutMs: number): 'not-equal' | 'timed-out' | Promise<'ok' | 'timed-out'> {
    return Atomics.waitAsync(this.#core.i32, this.#bellIndex, bell, timeoutMs).value;
  }
}
