/*
 * Small pieces of streamed responses on their way from a shard to an HTTP thread: many streams yield a few bytes in one turn of the event
 * loop, and a message for each of them would cost more than its bytes. Each piece has a header of words in front of its bytes.
 */
import type { StreamPiece } from './messages.js';

const SLOT = 0;
const SEQUENCE = 1;
const BYTES = 2;
const HEAD_BYTES = 3;
const FLAGS = 4;
/** Two words: a float. */
const BODY_BYTES = 6;
const HEADER_WORDS = 8;
const HEADER_BYTES = HEADER_WORDS * Int32Array.BYTES_PER_ELEMENT;

const CLOSES = 1;
const WHOLE = 2;
const BROKEN = 4;
/** In the place of the bytes of a head that the piece does not have. */
const NO_HEAD = -1;

const BATCH_BYTES = 16 * 1024;
/** A piece with more bytes goes alone, in a buffer that is transferred. */
export const SMALL_PIECE_BYTES = BATCH_BYTES / 8;

/** Gathers pieces. Shard. */
export class StreamBatch {
  readonly #buffer = new ArrayBuffer(BATCH_BYTES);
  readonly #words = new Int32Array(this.#buffer);
  readonly #floats = new Float64Array(this.#buffer);
  readonly #bytes = Buffer.from(this.#buffer);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** @returns `false` if there is no room for it */
  add({ slot, sequence, bytes, start, end, headBytes = NO_HEAD, closes, bodyBytes, last }: StreamPiece): boolean {
    const length = end - start;
    const next = align(this.#length + HEADER_BYTES + length);
    if (next > BATCH_BYTES) return false;
    const word = this.#length >> 2;
    const words = this.#words;
    words[word + SLOT] = slot;
    words[word + SEQUENCE] = sequence;
    words[word + BYTES] = length;
    words[word + HEAD_BYTES] = headBytes;
    words[word + FLAGS] =
      (closes === true ? CLOSES : 0) | (last === 'whole' ? WHOLE : 0) | (last === 'broken' ? BROKEN : 0);
    this.#floats[(word + BODY_BYTES) >> 1] = bodyBytes ?? Number.NaN;
    this.#bytes.set(new Uint8Array(bytes!, start, length), this.#length + HEADER_BYTES);
    this.#length = next;
    return true;
  }

  /** What was gathered, in a buffer of its own; gathering starts anew. */
  take(): ArrayBuffer {
    const batch = this.#buffer.slice(0, this.#length);
    this.#length = 0;
    return batch;
  }
}

/** The pieces of a batch, in order. They are views of it. HTTP thread. */
export function* piecesOf(batch: ArrayBuffer): Generator<StreamPiece> {
  const words = new Int32Array(batch);
  const floats = new Float64Array(batch);
  for (let at = 0; at < batch.byteLength; ) {
    const word = at >> 2;
    const start = at + HEADER_BYTES;
    const end = start + words[word + BYTES];
    const flags = words[word + FLAGS];
    const piece: StreamPiece = {
      slot: words[word + SLOT],
      sequence: words[word + SEQUENCE],
      bytes: batch,
      start,
      end,
    };
    if (words[word + HEAD_BYTES] !== NO_HEAD) {
      piece.headBytes = words[word + HEAD_BYTES];
      piece.closes = (flags & CLOSES) !== 0;
      const bodyBytes = floats[(word + BODY_BYTES) >> 1];
      if (!Number.isNaN(bodyBytes)) piece.bodyBytes = bodyBytes;
    }
    if ((flags & (WHOLE | BROKEN)) !== 0) piece.last = (flags & WHOLE) !== 0 ? 'whole' : 'broken';
    at = align(end);
    yield piece;
  }
}

/** Floats have to be. */
function align(bytes: number): number {
  return Math.ceil(bytes / Float64Array.BYTES_PER_ELEMENT) * Float64Array.BYTES_PER_ELEMENT;
}
