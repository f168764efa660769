import type { CoreMemory } from '../core/memory.js';
import { httpAddresses, type MemoryMap } from './memory-map.js';

/**
 * Which thread has the number of each HTTP thread: counted from 0 on. The control thread counts one on before the next thread with the
 * number starts, and before that it has told every shard of the channel to it. So a shard that meets a request of a generation that it
 * does not know has the message, and only has to read it. Any thread.
 */
export class HttpGenerations {
  readonly #i32: Int32Array;
  readonly #words: readonly number[];

  constructor({ i32 }: CoreMemory, map: MemoryMap) {
    this.#i32 = i32;
    this.#words = Array.from({ length: map.httpThreads }, (_, http) => httpAddresses(map, http).generation >> 2);
  }

  of(http: number): number {
    return Atomics.load(this.#i32, this.#words[http]);
  }

  get all(): number[] {
    return this.#words.map((_, http) => this.of(http));
  }

  /** Control thread. */
  next(http: number): void {
    Atomics.add(this.#i32, this.#words[http], 1);
  }
}
