import { REASONS, type Reason } from './answers.js';

/** What an HTTP thread counts apart from routes. */
const KINDS = [
  /**
   * Bytes that were passed to sockets as responses, or by shards that have taken over connections; not interim responses, nor those of the
   * listener of `server.onUpgrade`.
   */
  'sentBytes',
  /** Bytes that clients have sent, except to that listener. */
  'receivedBytes',
  /** Requests whose connections were closed before their responses were sent completely. */
  'aborted',
  /** Connections accepted, and those closed immediately because of `limits.maxConnections`. */
  'accepted',
  'connectionsRefused',
  'pauses',
  'lostWakeUps',
] as const;
export type HttpCount = (typeof KINDS)[number];

const SENT_BYTES = KINDS.indexOf('sentBytes');
const RECEIVED_BYTES = KINDS.indexOf('receivedBytes');
const ABORTED = KINDS.indexOf('aborted');
const ACCEPTED = KINDS.indexOf('accepted');
const REASON_NAMES = Object.keys(REASONS) as Reason[];
const FREE_SLOTS = KINDS.length + REASON_NAMES.length;
const WORDS = FREE_SLOTS + 1;

/** Figures that the thread keeps elsewhere and publishes from time to time. */
export interface PublishedFigures extends Record<'connectionsRefused' | 'pauses' | 'lostWakeUps', number> {
  refused: Partial<Record<Reason, number>>;
  freeSlots: number;
}

/** Creates the memory in which one HTTP thread counts, over all reloads. Its words are doubles, as in `createRouteTimes`. */
export function createHttpCounts(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * Float64Array.BYTES_PER_ELEMENT);
}

/** The counts of one HTTP thread. A thread that replaces an ended one continues them. HTTP thread. */
export class HttpCounts {
  readonly #words: Float64Array;
  /** What the previous threads have counted. */
  readonly #before: Float64Array;

  /** @param memory by `createHttpCounts` */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Float64Array(memory);
    this.#before = this.#words.slice();
  }

  sent(bytes: number): void {
    this.#words[SENT_BYTES] += bytes;
  }

  received(bytes: number): void {
    this.#words[RECEIVED_BYTES] += bytes;
  }

  aborted(): void {
    this.#words[ABORTED]++;
  }

  accepted(): void {
    this.#words[ACCEPTED]++;
  }

  /** Publishes figures that are counted from the start of this thread. */
  publish({ freeSlots, refused, ...counts }: PublishedFigures): void {
    for (const [kind, count] of Object.entries(counts)) this.#set(KINDS.indexOf(kind as HttpCount), count);
    for (const [index, reason] of REASON_NAMES.entries()) this.#set(KINDS.length + index, refused[reason] ?? 0);
    this.#words[FREE_SLOTS] = freeSlots;
  }

  #set(index: number, count: number): void {
    this.#words[index] = this.#before[index] + count;
  }
}

/** Sums over all HTTP threads. */
export interface HttpSums extends Record<HttpCount, number> {
  refused: { reason: Reason; count: number }[];
  freeSlots: number;
}

/**
 * Any thread.
 * @param memories by `createHttpCounts`
 */
export function sumHttpCounts(memories: readonly SharedArrayBuffer[]): HttpSums {
  const all = memories.map((memory) => new Float64Array(memory));
  const sum = (index: number) => all.reduce((total, words) => total + words[index], 0);
  const counts = Object.fromEntries(KINDS.map((kind, index) => [kind, sum(index)])) as Record<HttpCount, number>;
  return {
    ...counts,
    refused: REASON_NAMES.map((reason, index) => ({ reason, count: sum(KINDS.length + index) })).filter(
      ({ count }) => count > 0,
    ),
    freeSlots: sum(FREE_SLOTS),
  };
}
