import type { HeadIndex } from './head-index.js';

const PLACES = 256;
/** Longer heads are not remembered. */
const MAX_BYTES = 2_048;
/** Shorter ones are never valid. */
const MIN_BYTES = 16;
/** Number of failed searches after which a place takes a new head: remembering takes time too. */
const MAX_MISSES = 32;
const NO_PLACE = -1;

/** A head of a request without a body, and what parsing it gave. */
class KnownHead {
  /** Index in ALL_METHODS. */
  method = -1;
  #bytes = 0;
  /** Position of the target. */
  #targetAt = 0;
  #index: Int32Array = new Int32Array(0);
  readonly #words = new Int32Array(MAX_BYTES >> 2);
  /** The word in which the last other head differed: often the next one differs there too. */
  #difference = 0;

  /** @param first number of the first of `words` */
  isSame(words: Int32Array, first: number, bytes: number): boolean {
    const own = this.#words;
    if (bytes !== this.#bytes || words[first + this.#difference] !== own[this.#difference]) return false;
    const whole = bytes >> 2;
    for (let word = 0; word < whole; word++) {
      if (words[first + word] === own[word]) continue;
      this.#difference = word;
      return false;
    }
    const rest = bytes & 3;
    // In the last word, what follows the head does not count. WASM memory is little-endian.
    return rest === 0 || (words[first + whole] ^ own[whole]) << (32 - 8 * rest) === 0;
  }

  set(words: Int32Array, first: number, bytes: number, index: HeadIndex, method: number): void {
    this.method = method;
    this.#bytes = bytes;
    this.#targetAt = index.base - (first << 2);
    this.#index = index.save(this.#index);
    this.#difference = 0;
    const end = (bytes + 3) >> 2;
    for (let word = 0; word < end; word++) this.#words[word] = words[first + word];
  }

  /** Makes `index` that of the same head at `start`. */
  restoreIndex(index: HeadIndex, start: number): void {
    index.restore(this.#index);
    index.base = start + this.#targetAt;
  }
}

export type { KnownHead };

/**
 * Remembers heads that are sent again and again: by services to each other, by health checks, by monitoring. At the beginning of a message, the
 * same bytes always have the same meaning, so they are not parsed and checked again. All bytes are compared. HTTP thread only.
 */
export class KnownHeads {
  readonly #heads: (KnownHead | undefined)[] = new Array(PLACES).fill(undefined);
  /** Failed searches of each place since it last had a head that was found, up to MAX_MISSES. */
  readonly #misses = new Int32Array(PLACES);
  /** The place that is to take the head that was not found last, or NO_PLACE. */
  #wanted = NO_PLACE;

  /**
   * Finds the head that consists of exactly these bytes. At an address that is not a multiple of four, none is found.
   * @param words the memory that contains them
   * @param start their address
   */
  find(words: Int32Array, start: number, bytes: number): KnownHead | undefined {
    this.#wanted = NO_PLACE;
    if ((start & 3) !== 0 || bytes < MIN_BYTES || bytes > MAX_BYTES) return undefined;
    const first = start >> 2;
    const place = placeOf(words, first, bytes);
    const head = this.#heads[place];
    if (head?.isSame(words, first, bytes)) {
      this.#misses[place] = 0;
      return head;
    }
    if (this.#misses[place] < MAX_MISSES) this.#misses[place]++;
    else this.#wanted = place;
    return undefined;
  }

  /** Whether to remember the head that was not found last. */
  get wantsLast(): boolean {
    return this.#wanted !== NO_PLACE;
  }

  /**
   * Remembers the head that was not found last.
   * @param index describes it
   * @param method index in ALL_METHODS
   */
  remember(words: Int32Array, start: number, bytes: number, index: HeadIndex, method: number): void {
    const place = this.#wanted;
    this.#heads[place] ??= new KnownHead();
    this.#heads[place].set(words, start >> 2, bytes, index, method);
    this.#misses[place] = 0;
  }
}

/** Computed from the length, the beginning of the target, and the end. */
function placeOf(words: Int32Array, first: number, bytes: number): number {
  const mixed = words[first + 2] ^ words[first + (bytes >> 2) - 2];
  return Math.imul(words[first + 1] ^ Math.imul(mixed, 31) ^ bytes, 0x9e3779b1) >>> 24;
}
