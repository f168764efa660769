/*
 * Batches small pieces of streams between a shard and an HTTP thread: many streams have a few bytes in one turn of the event loop, and a
 * separate message for each would cost more than its bytes. Each piece has a header of words before its bytes.
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
const UPGRADES = 8;
const FRAMED = 16;
/** Replaces the number of head bytes in a piece without a head. */
const NO_HEAD = -1;

const BATCH_BYTES = 16 * 1024;
/** Larger pieces are sent alone, in a transferred buffer. */
export const SMALL_PIECE_BYTES = BATCH_BYTES / 8;

/** Gathers pieces into a batch. For the thread that sends them. */
export class StreamBatch {
  readonly #buffer = new ArrayBuffer(BATCH_BYTES);
  readonly #words = new Int32Array(this.#buffer);
  readonly #floats = new Float64Array(this.#buffer);
  readonly #bytes = Buffer.from(this.#buffer);
  #length = 0;

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** @returns `false` if the piece does not fit */
  add(piece: StreamPiece): boolean {
    const { slot, sequence, bytes, start, end, headBytes = NO_HEAD, bodyBytes } = piece;
    const length = end - start;
    const next = align(this.#length + HEADER_BYTES + length);
    if (next > BATCH_BYTES) return false;
    const word = this.#length >> 2;
    const words = this.#words;
    words[word + SLOT] = slot;
    words[word + SEQUENCE] = sequence;
    words[word + BYTES] = length;
    words[word + HEAD_BYTES] = headBytes;
    words[word + FLAGS] = flagsOf(piece);
    this.#floats[(word + BODY_BYTES) >> 1] = bodyBytes ?? Number.NaN;
    this.#bytes.set(new Uint8Array(bytes!, start, length), this.#length + HEADER_BYTES);
    this.#length = next;
    return true;
  }

  /** Returns the batch in its own buffer and starts a new one. */
  take(): ArrayBuffer {
    const batch = this.#buffer.slice(0, this.#length);
    this.#length = 0;
    return batch;
  }
}

function flagsOf({ closes, isFramed, upgrades, last }: StreamPiece): number {
  const end = last === undefined ? 0 : last === 'whole' ? WHOLE : BROKEN;
  const closing = (closes === true ? CLOSES : 0) | (isFramed === true ? FRAMED : 0);
  return end | closing | (upgrades === true ? UPGRADES : 0);
}

/** The pieces of a batch, in order, as views of it. For the thread that receives them. */
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
      piece.isFramed = (flags & FRAMED) !== 0;
      if ((flags & UPGRADES) !== 0) piece.upgrades = true;
      const bodyBytes = floats[(word + BODY_BYTES) >> 1];
      if (!Number.isNaN(bodyBytes)) piece.bodyBytes = bodyBytes;
    }
    if ((flags & (WHOLE | BROKEN)) !== 0) piece.last = (flags & WHOLE) !== 0 ? 'whole' : 'broken';
    at = align(end);
    yield piece;
  }
}

/** Aligns to 8 bytes, for the float in the header. */
function align(bytes: number): number {
  return Math.ceil(bytes / Float64Array.BYTES_PER_ELEMENT) * Float64Array.BYTES_PER_ELEMENT;
}
