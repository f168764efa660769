import { STREAM_PIECE_BYTES } from '../../contract/messages.js';

/** Around the data of a chunk (RFC 9112 section 7.1): its size in hexadecimal and a line end before it … */
const SIZE_LINE_BYTES = STREAM_PIECE_BYTES.toString(16).length + 2;
/** … and behind it a line end, and the last chunk if this one is. */
const LINE_END = '\r\n';
const LAST_CHUNK = '0\r\n\r\n';
const TAIL_BYTES = LINE_END.length + LAST_CHUNK.length;
/** Of a buffer for a whole piece without a head. */
const WHOLE_BYTES = SIZE_LINE_BYTES + STREAM_PIECE_BYTES + TAIL_BYTES;
/** What is made first for a stream of little chunks. */
const SMALLEST_BYTES = 1_024;
/** Of a buffer for that, without a head. */
const SMALL_BYTES = SIZE_LINE_BYTES + SMALLEST_BYTES + TAIL_BYTES;

/** Buffers of that size that are not in use, of all streams: most streams have nothing to send for most of the time. */
const spare: ArrayBuffer[] = [];
const MOST_SPARE = 64;

/** A piece as it is sent, in a buffer of its own. */
export interface Piece {
  bytes: ArrayBuffer;
  start: number;
  end: number;
}

/** Gathers what a stream yields, and frames it: one chunk of the chunked coding, or bytes as they are. Shard. */
export class PieceBuffer {
  /** Bytes that were gathered. */
  length = 0;
  readonly #isChunked: boolean;
  /** Goes in front of the first piece. */
  #head: Uint8Array | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  /** Of the size of whole pieces without a head. */
  readonly #buffers: ArrayBuffer[] = [];

  constructor(isChunked: boolean, head: Uint8Array) {
    this.#isChunked = isChunked;
    this.#head = head;
  }

  /** Takes back the buffer of a piece that was copied. */
  giveBack({ bytes }: Piece): void {
    if (bytes.byteLength >= WHOLE_BYTES) this.#buffers.push(bytes);
    else if (bytes.byteLength === SMALL_BYTES && spare.length < MOST_SPARE) spare.push(bytes);
  }

  /** Takes buffers that are free again. */
  reuse(buffers: ArrayBuffer[]): void {
    // Some have come with less room for data than a whole piece needs.
    for (const buffer of buffers) if (buffer.byteLength >= WHOLE_BYTES) this.#buffers.push(buffer);
  }

  get isFull(): boolean {
    return this.length === STREAM_PIECE_BYTES;
  }

  get hasHead(): boolean {
    return this.#head !== undefined;
  }

  /** Copies what fits of `chunk` from `from` on. Returns how many bytes that is. */
  add(chunk: Uint8Array, from: number): number {
    const count = Math.min(chunk.length - from, STREAM_PIECE_BYTES - this.length);
    this.#makeRoom(this.length + count);
    this.#buffer.set(chunk.subarray(from, from + count), this.#room + this.length);
    this.length += count;
    return count;
  }

  /** What was gathered, ready to be sent; gathering starts anew. */
  take(isLast: boolean): Piece {
    this.#makeRoom(this.length);
    let start = this.#room;
    let end = start + this.length;
    const buffer = this.#buffer;
    if (this.#isChunked && this.length > 0) {
      const size = this.length.toString(16) + LINE_END;
      start -= size.length;
      buffer.latin1Write(size, start, size.length);
      end += buffer.latin1Write(LINE_END, end, LINE_END.length);
    }
    if (this.#isChunked && isLast) end += buffer.latin1Write(LAST_CHUNK, end, LAST_CHUNK.length);
    if (this.#head !== undefined) {
      start -= this.#head.length;
      buffer.set(this.#head, start);
    }
    this.#head = undefined;
    this.length = 0;
    this.#buffer = Buffer.alloc(0);
    return { bytes: buffer.buffer as ArrayBuffer, start, end };
  }

  /** Bytes in front of the data. */
  get #room(): number {
    return SIZE_LINE_BYTES + (this.#head?.length ?? 0);
  }

  #makeRoom(bytes: number): void {
    const room = this.#room + TAIL_BYTES;
    if (this.#buffer.length > 0 && this.#buffer.length >= room + bytes) return;
    const wanted = Math.max(bytes, 2 * this.length, SMALLEST_BYTES);
    // Not from Node.js's pool: the buffer is transferred.
    const needed = room + Math.min(wanted, STREAM_PIECE_BYTES);
    const used = needed <= SMALL_BYTES ? spare.pop() : needed <= WHOLE_BYTES ? this.#buffers.pop() : undefined;
    const larger = Buffer.from(used ?? new ArrayBuffer(needed));
    larger.set(this.#buffer.subarray(0, this.#room + this.length));
    this.#buffer = larger;
  }
}
