import { EXTENT_CLASSES, MAX_LIMITED_ROUTES } from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import type { RequestShares } from './extents.js';
import { httpAddresses, type MemoryMap } from './memory-map.js';

/** Word indices of one HTTP thread. */
interface Words {
  sequence: number;
  connections: number;
  detached: number;
  pressed: number;
  /** The first index of several words: by class of extents, by shard (three of them), by limited route (two). */
  requestExtents: number;
  outstanding: number;
  queued: number;
  waits: number;
  waiting: number;
  streaming: number;
}

/**
 * The numbers that an HTTP thread publishes for the other HTTP threads: the number of its last request, its open connections, and its
 * share of resources that are limited over all threads. Each thread writes to its own cache lines. Sums over other threads are
 * estimates. HTTP thread.
 */
export class HttpFigures implements RequestShares {
  /** By shard: requests of this thread that were submitted and not given back. */
  readonly outstanding: Int32Array;
  /** By shard: requests of this thread that are queued in its rings; never too low. */
  readonly queued: Int32Array;
  readonly #i32: Int32Array;
  readonly #step: number;
  readonly #own: Words;
  readonly #others: readonly Words[];

  constructor({ i32 }: CoreMemory, map: MemoryMap, http: number) {
    const words = Array.from({ length: map.httpThreads }, (_, one) => wordsOf(map, one));
    this.#i32 = i32;
    this.#step = map.httpThreads;
    this.#own = words[http];
    this.#others = words.filter((_, other) => other !== http);
    const { outstanding, queued, sequence } = this.#own;
    this.outstanding = i32.subarray(outstanding, outstanding + map.shards);
    this.queued = i32.subarray(queued, queued + map.shards);
    if (i32[sequence] === 0) i32[sequence] = http;
  }

  /** Continues the numbers of requests of this thread where those of other memory end. */
  continueFrom({ sequence }: HttpFigures): void {
    this.#i32[this.#own.sequence] = sequence;
  }

  /** The number of its last request. */
  get sequence(): number {
    return this.#i32[this.#own.sequence];
  }

  /** A number for the next request, which is unique until the numbers wrap at 2³². */
  nextSequence(): number {
    const { sequence } = this.#own;
    this.#i32[sequence] += this.#step;
    return this.#i32[sequence];
  }

  /** Extents that hold records of this thread's requests. */
  get ownRequestExtents(): number {
    const { requestExtents } = this.#own;
    return this.#i32.subarray(requestExtents, requestExtents + EXTENT_CLASSES).reduce((sum, count) => sum + count, 0);
  }

  /** Requests of the other HTTP threads that `shard` has not given back. */
  outstandingOfOthers(shard: number): number {
    let sum = 0;
    // Plain: dispatch reads these often, and may see them late.
    for (const { outstanding } of this.#others) sum += this.#i32[outstanding + shard];
    return sum;
  }

  /** Requests of the other HTTP threads that are queued in the rings of `shard`. */
  queuedOfOthers(shard: number): number {
    return this.#sumOfOthers(({ queued }) => queued + shard);
  }

  /** Publishes how long the oldest request of this thread has waited in the rings of `shard`, in microseconds. */
  setWait(shard: number, us: number): void {
    Atomics.store(this.#i32, this.#own.waits + shard, us);
  }

  /** The longest wait in the rings of `shard` that the other HTTP threads have published, in microseconds. */
  longestWaitOfOthers(shard: number): number {
    let longest = 0;
    for (const { waits } of this.#others) longest = Math.max(longest, Atomics.load(this.#i32, waits + shard));
    return longest;
  }

  /** Publishes that `count` requests of this thread wait for a permit of the limited route at `index`. */
  setWaiting(index: number, count: number): void {
    Atomics.store(this.#i32, this.#own.waiting + index, count);
  }

  /** Requests of the other HTTP threads that wait for a permit of the limited route at `index`. */
  waitingOfOthers(index: number): number {
    return this.#sumOfOthers((words) => words.waiting + index);
  }

  /** Streams of this thread that hold a permit of the limited route at `index` without a slot. */
  streaming(index: number): number {
    return this.#i32[this.#own.streaming + index];
  }

  addStreaming(index: number, count: 1 | -1): void {
    this.#i32[this.#own.streaming + index] += count;
  }

  /** Open connections of this thread. */
  set connections(count: number) {
    Atomics.store(this.#i32, this.#own.connections, count);
  }

  /** Open connections of the other HTTP threads. */
  get connectionsOfOthers(): number {
    return this.#sumOfOthers(({ connections }) => connections);
  }

  /** Bytes of unsent responses of this thread that were copied out of their extents. */
  get detachedBytes(): number {
    return this.#i32[this.#own.detached];
  }

  set detachedBytes(bytes: number) {
    Atomics.store(this.#i32, this.#own.detached, bytes);
  }

  /** The same over all HTTP threads. */
  get detachedBytesOfAll(): number {
    return this.detachedBytes + this.#sumOfOthers(({ detached }) => detached);
  }

  /** Sets the number of connections of this thread with a request that waits for an extent. */
  set pressed(count: number) {
    Atomics.store(this.#i32, this.#own.pressed, count);
  }

  /** Whether requests of other HTTP threads wait for extents, which clients of this thread may hold. */
  get areOthersPressed(): boolean {
    return this.#sumOfOthers(({ pressed }) => pressed) > 0;
  }

  /** Adds first, then checks: if two threads compete for the last one, neither may get it, but never both. */
  take(index: number, most: number): boolean {
    this.add(index, 1);
    if (
      this.#i32[this.#own.requestExtents + index] + this.#sumOfOthers((words) => words.requestExtents + index) <=
      most
    )
      return true;
    this.add(index, -1);
    return false;
  }

  add(index: number, count: number): void {
    Atomics.add(this.#i32, this.#own.requestExtents + index, count);
  }

  #sumOfOthers(indexOf: (words: Words) => number): number {
    let sum = 0;
    for (const words of this.#others) sum += Atomics.load(this.#i32, indexOf(words));
    return sum;
  }

  /** Resets the words of a thread that has exited, and so has no connections or requests. Control thread. */
  reset(): void {
    this.outstanding.fill(0);
    this.queued.fill(0);
    for (let shard = 0; shard < this.queued.length; shard++) this.setWait(shard, 0);
    this.connections = 0;
    this.detachedBytes = 0;
    this.pressed = 0;
    const { requestExtents, waiting, streaming } = this.#own;
    this.#i32.fill(0, requestExtents, requestExtents + EXTENT_CLASSES);
    this.#i32.fill(0, waiting, waiting + MAX_LIMITED_ROUTES);
    this.#i32.fill(0, streaming, streaming + MAX_LIMITED_ROUTES);
  }
}

function wordsOf(map: MemoryMap, http: number): Words {
  const { sequence, connections, detached, pressed, requestExtents, outstanding, queued, waits, waiting, streaming } =
    httpAddresses(map, http);
  return {
    sequence: sequence >> 2,
    connections: connections >> 2,
    detached: detached >> 2,
    pressed: pressed >> 2,
    requestExtents: requestExtents >> 2,
    outstanding: outstanding >> 2,
    queued: queued >> 2,
    waits: waits >> 2,
    waiting: waiting >> 2,
    streaming: streaming >> 2,
  };
}

/** How long the oldest request has waited in the rings of `shard`, in microseconds, up to 2 ms late. Control thread. */
export function longestWaitUs({ i32 }: CoreMemory, map: MemoryMap, shard: number): number {
  let longest = 0;
  for (let http = 0; http < map.httpThreads; http++) {
    longest = Math.max(longest, Atomics.load(i32, (httpAddresses(map, http).waits >> 2) + shard));
  }
  return longest;
}

/** What all HTTP threads have published. */
export interface PublishedSums {
  connections: number;
  /** By shard. */
  outstanding: number[];
  queued: number[];
  /** The longest wait in the rings of each shard, in microseconds, up to 2 ms late. */
  waitsUs: number[];
  /** By limited route: requests that wait for one of its permits. */
  waiting: number[];
}

/**
 * Returns sums over all HTTP threads: estimates, made without asking them. Control thread.
 * @param limitedRoutes number of routes with `maxConcurrency`
 */
export function sumHttpFigures({ i32 }: CoreMemory, map: MemoryMap, limitedRoutes: number): PublishedSums {
  const all = Array.from({ length: map.httpThreads }, (_, http) => wordsOf(map, http));
  const values = (indexOf: (words: Words) => number) => all.map((words) => Atomics.load(i32, indexOf(words)));
  const sum = (indexOf: (words: Words) => number) => values(indexOf).reduce((total, value) => total + value, 0);
  const ofShards = (look: (shard: number) => number) => Array.from({ length: map.shards }, (_, shard) => look(shard));
  return {
    connections: sum(({ connections }) => connections),
    outstanding: ofShards((shard) => sum(({ outstanding }) => outstanding + shard)),
    queued: ofShards((shard) => sum(({ queued }) => queued + shard)),
    waitsUs: ofShards((shard) => Math.max(...values(({ waits }) => waits + shard))),
    waiting: Array.from({ length: limitedRoutes }, (_, index) => sum(({ waiting }) => waiting + index)),
  };
}
