import { DOORBELL_BELL_OFFSET, DOORBELL_BYTES, DOORBELL_PARKED_OFFSET } from '../../assembly/layout.js';
import type { CoreMemory } from './memory.js';

/** The word that one thread, the owner, parks on and any other thread wakes it by (assembly/doorbell.ts). */
export class Doorbell {
  readonly address: number;
  readonly #core: CoreMemory;
  readonly #bellIndex: number;

  private constructor(core: CoreMemory, address: number) {
    this.#core = core;
    this.address = address;
    this.#bellIndex = (address + DOORBELL_BELL_OFFSET) >> 2;
  }

  static create(core: CoreMemory): Doorbell {
    return new Doorbell(core, core.allocate(DOORBELL_BYTES));
  }

  /** The doorbell at `address`, made by another thread or part of a larger block. */
  static attach(core: CoreMemory, address: number): Doorbell {
    return new Doorbell(core, address);
  }

  /**
   * The owner: "I am about to park". Look once more for work after this, then wait with what it returns, or take it back
   * with `unpark`.
   */
  park(): number {
    return this.#core.wasm.doorbellPark(this.address);
  }

  /** The owner: "I am awake". */
  unpark(): void {
    this.#core.wasm.doorbellUnpark(this.address);
  }

  /** The owner has announced that it parks, and nobody has rung since. */
  get parked(): boolean {
    return Atomics.load(this.#core.i32, (this.address + DOORBELL_PARKED_OFFSET) >> 2) === 1;
  }

  /** Any thread, after it has published something: wakes the owner if it is parked. Never blocks. */
  ring(): boolean {
    return this.#core.wasm.doorbellRing(this.address) === 1;
  }

  /** The owner: blocks until the bell is rung. `false` if the time ran out. */
  wait(bell: number, timeoutMs: number): boolean {
    return Atomics.wait(this.#core.i32, this.#bellIndex, bell, timeoutMs) !== 'timed-out';
  }

  /** The owner: resolves when the bell is rung. Does not keep the event loop alive. */
  waitAsync(bell: number, timeoutMs: number): 'not-equal' | 'timed-out' | Promise<'ok' | 'timed-out'> {
    return Atomics.waitAsync(this.#core.i32, this.#bellIndex, bell, timeoutMs).value;
  }
}
