import { SHARD_COUNTERS_OFFSET } from '../../../assembly/layout.js';
import type { CoreMemory } from '../../core/memory.js';

/** The counters that the shard writes and anybody reads (src/contract/counters.ts). Shard. */
export class Counters {
  readonly #core: CoreMemory;
  readonly #word: number;

  constructor(core: CoreMemory, control: number) {
    this.#core = core;
    this.#word = (control + SHARD_COUNTERS_OFFSET) >> 2;
  }

  /** Only this thread writes them, so they need no atomic addition. */
  add(offset: number, by: number): void {
    const index = this.#word + (offset >> 2);
    this.#core.i32[index] = (this.#core.i32[index] + by) | 0;
  }

  set(offset: number, value: number): void {
    Atomics.store(this.#core.i32, this.#word + (offset >> 2), value);
  }
}
