import type { CoreMemory } from '../core/memory.js';
import { httpAddresses, type MemoryMap } from './memory-map.js';

/**
 * Counts the threads that have had the number of each HTTP thread, from 0. Before the next thread with a number starts, the control thread
 * first tells every shard about the channel to it, and then increases the generation. So a shard that finds a request of an unknown
 * generation already has the message, and only has to read it. Any thread.
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
