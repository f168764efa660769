import { MAX_LIMITED_ROUTES } from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { httpAddresses, type MemoryMap } from './memory-map.js';

/**
 * What an HTTP thread writes of itself for the other HTTP threads to read: how many of its requests are outstanding on each shard and wait
 * for permits of each limited route, how many connections are open, and the number of the last request. Each thread writes to cache
 * lines of its own. HTTP thread.
 */
export class HttpFigures {
  /** By shard: requests of this thread that were submitted and not yet given back. */
  readonly outstanding: Int32Array;
  /** By limited route. */
  readonly #waiting: Int32Array;
  readonly #i32: Int32Array;
  readonly #sequence: number;
  readonly #step: number;
  readonly #connections: number;
  readonly #others: readonly { outstanding: number; waiting: number; connections: number }[];

  constructor({ i32 }: CoreMemory, map: MemoryMap, http: number) {
    const own = httpAddresses(map, http);
    this.#i32 = i32;
    this.#sequence = own.sequence >> 2;
    this.#step = map.httpThreads;
    this.#connections = own.connections >> 2;
    this.outstanding = i32.subarray(own.outstanding >> 2, (own.outstanding >> 2) + map.shards);
    this.#waiting = i32.subarray(own.waiting >> 2, (own.waiting >> 2) + MAX_LIMITED_ROUTES);
    this.#others = Array.from({ length: map.httpThreads }, (_, other) => httpAddresses(map, other))
      .filter((_, other) => other !== http)
      .map(({ outstanding, waiting, connections }) => ({
        outstanding: outstanding >> 2,
        waiting: waiting >> 2,
        connections: connections >> 2,
      }));
    if (i32[this.#sequence] === 0) i32[this.#sequence] = http;
  }

  /** A number for the next request; no two requests that are in flight at the same time have the same. Wraps at 2³². */
  nextSequence(): number {
    this.#i32[this.#sequence] += this.#step;
    return this.#i32[this.#sequence];
  }

  /** Requests of the other HTTP threads that `shard` has not given back: a moment's estimate. */
  outstandingOfOthers(shard: number): number {
    let sum = 0;
    for (const { outstanding } of this.#others) sum += this.#i32[outstanding + shard];
    return sum;
  }

  /** `count` requests of this thread wait for a permit of the limited route at `index`. */
  setWaiting(index: number, count: number): void {
    Atomics.store(this.#waiting, index, count);
  }

  /** Requests of the other HTTP threads that wait for a permit of the limited route at `index`: a moment's estimate. */
  waitingOfOthers(index: number): number {
    let sum = 0;
    for (const { waiting } of this.#others) sum += Atomics.load(this.#i32, waiting + index);
    return sum;
  }

  /** Open connections of this thread. */
  set connections(count: number) {
    this.#i32[this.#connections] = count;
  }

  /** Open connections of the other HTTP threads: a moment's estimate. */
  get connectionsOfOthers(): number {
    let sum = 0;
    for (const { connections } of this.#others) sum += Atomics.load(this.#i32, connections);
    return sum;
  }

  /** The thread has exited: nothing of it is outstanding, and no connection open. Control thread. */
  reset(): void {
    this.outstanding.fill(0);
    this.#waiting.fill(0);
    this.#i32[this.#connections] = 0;
  }
}
