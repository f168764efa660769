/** Upper bounds of the buckets in which times are counted, in microseconds. Longer times are counted in one more bucket. */
export const TIME_BOUNDS_US: readonly number[] = [
  100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
  5_000_000, 10_000_000,
];

/**
 * The times that a shard counts for each route:
 *
 * - `queue`: from the submission of a request to the start of its handler
 * - `handler`: from there until the handler settles; until the first chunk if the response is a stream
 * - `loop`: how long the handler occupied the event loop during that, while all others on its shard waited
 * - `request`: queue and handler
 */
export const TIME_KINDS = ['queue', 'handler', 'loop', 'request'] as const;
export type TimeKind = (typeof TIME_KINDS)[number];

const QUEUE = TIME_KINDS.indexOf('queue');
const HANDLER = TIME_KINDS.indexOf('handler');
const LOOP = TIME_KINDS.indexOf('loop');
const REQUEST = TIME_KINDS.indexOf('request');

/** Of each kind: the sum in microseconds, then the buckets. */
const KIND_WORDS = 1 + TIME_BOUNDS_US.length + 1;
/** After all kinds: for how long others have waited because of the route, in microseconds. */
const BLOCKED = TIME_KINDS.length;
const ROUTE_WORDS = TIME_KINDS.length * KIND_WORDS + 1;
/** Of the shard: its heap. */
const HEAP_KINDS = ['used', 'total', 'limit', 'external'] as const;
const HEAD_WORDS = HEAP_KINDS.length;

/** Sizes of a shard's heap in bytes, as in `v8.getHeapStatistics()`. */
export type HeapSizes = Record<(typeof HEAP_KINDS)[number], number>;

/** How often times were within each bucket. */
export interface TimeCounts {
  /** By bucket; one more than there are bounds. */
  buckets: readonly number[];
  sumUs: number;
}

/**
 * Creates the memory for the times of one shard. Its words are doubles, because a count of 32 bits wraps within hours; a 64-bit processor
 * reads an aligned double in one piece.
 * @param routes number of routes of the app
 */
export function createRouteTimes(routes: number): SharedArrayBuffer {
  // One more, for requests without a route.
  return new SharedArrayBuffer((HEAD_WORDS + (routes + 1) * ROUTE_WORDS) * Float64Array.BYTES_PER_ELEMENT);
}

/** Counts times by route, for a few nanoseconds each. Only the thread of the shard writes. */
export class RouteTimesWriter {
  readonly #words: Float64Array;
  /** With a last bound that no time exceeds. */
  readonly #bounds = [...TIME_BOUNDS_US, Number.POSITIVE_INFINITY];

  /** @param memory by `createRouteTimes` */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Float64Array(memory);
  }

  /** Counts a handler that was started. Times are in microseconds. */
  started(route: number, queueUs: number): void {
    this.#add(route, QUEUE, queueUs);
  }

  /** Counts a handler that has settled. */
  settled(route: number, handlerUs: number, loopUs: number, requestUs: number): void {
    this.#add(route, HANDLER, handlerUs);
    this.#add(route, LOOP, loopUs);
    this.#add(route, REQUEST, requestUs);
  }

  /** Counts that other requests have waited for `us` microseconds, added up, while the handler occupied the event loop. */
  blocked(route: number, us: number): void {
    this.#words[wordOf(route, BLOCKED)] += us;
  }

  #add(route: number, kind: number, us: number): void {
    const at = wordOf(route, kind);
    let bucket = 0;
    while (us > this.#bounds[bucket]) bucket++;
    // Plain: no other thread writes, and readers may be late.
    this.#words[at] += us;
    this.#words[at + 1 + bucket]++;
  }

  set heap(sizes: HeapSizes) {
    for (const [index, kind] of HEAP_KINDS.entries()) this.#words[index] = sizes[kind];
  }
}

/** Sums of the times of several shards that have the same routes. Any thread. */
export class RouteTimesSum {
  readonly #sum: Float64Array;

  /** @param memories by `createRouteTimes`, for the same number of routes */
  constructor(memories: readonly SharedArrayBuffer[]) {
    const all = memories.map((memory) => new Float64Array(memory));
    this.#sum = new Float64Array(all[0]?.length ?? 0);
    for (const words of all) for (let i = HEAD_WORDS; i < words.length; i++) this.#sum[i] += words[i];
  }

  /** @param route its number, or -1 for requests without a route */
  of(route: number, kind: TimeKind): TimeCounts {
    const at = wordOf(route, TIME_KINDS.indexOf(kind));
    return { sumUs: this.#sum[at], buckets: [...this.#sum.subarray(at + 1, at + KIND_WORDS)] };
  }

  /** How long other requests have waited because handlers of the route occupied their event loop, added up, in microseconds. */
  blockedUs(route: number): number {
    return this.#sum[wordOf(route, BLOCKED)];
  }
}

/** Zeros until the shard has measured its heap. */
export function readHeap(memory: SharedArrayBuffer): HeapSizes {
  const words = new Float64Array(memory, 0, HEAD_WORDS);
  return Object.fromEntries(HEAP_KINDS.map((kind, index) => [kind, words[index]])) as HeapSizes;
}

function wordOf(route: number, kind: number): number {
  return HEAD_WORDS + (route + 1) * ROUTE_WORDS + kind * KIND_WORDS;
}
