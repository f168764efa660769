import { STREAM_PIECE_BYTES } from '../../contract/messages.js';

/** Framing before the data of a chunk (RFC 9112 section 7.1): its size in hexadecimal and a line end. */
const SIZE_LINE_BYTES = STREAM_PIECE_BYTES.toString(16).length + 2;
/** Framing after the data: a line end, and the last chunk at the end of the body. */
const LINE_END = '\r\n';
const LAST_CHUNK = '0\r\n\r\n';
const TAIL_BYTES = LINE_END.length + LAST_CHUNK.length;
/** Size of a buffer for a full piece without a head. */
const WHOLE_BYTES = SIZE_LINE_BYTES + STREAM_PIECE_BYTES + TAIL_BYTES;
/** Smallest capacity for data, for streams of small chunks. */
const SMALLEST_BYTES = 1_024;
/** Size of a buffer with that capacity, without a head. */
const SMALL_BYTES = SIZE_LINE_BYTES + SMALLEST_BYTES + TAIL_BYTES;

/** Unused buffers of that size, shared by all streams: most streams have nothing to send most of the time. */
const spare: ArrayBuffer[] = [];
const MOST_SPARE = 64;

/** A piece ready to be sent, in its own buffer. */
export interface Piece {
  bytes: ArrayBuffer;
  start: number;
  end: number;
}

/** Gathers what a stream yields into pieces, framed as a chunk of the chunked coding or unframed. Shard only. */
export class PieceBuffer {
  /** Number of bytes gathered. */
  length = 0;
  readonly #isChunked: boolean;
  /** Written in front of the first piece. */
  #head: Uint8Array | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  /** Free buffers of `WHOLE_BYTES` or more. */
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

  /** Takes back buffers that the HTTP thread has returned. */
  reuse(buffers: ArrayBuffer[]): void {
    // Some are too small for a full piece.
    for (const buffer of buffers) if (buffer.byteLength >= WHOLE_BYTES) this.#buffers.push(buffer);
  }

  get isFull(): boolean {
    return this.length === STREAM_PIECE_BYTES;
  }

  get hasHead(): boolean {
    return this.#head !== undefined;
  }

  /** Copies as much of `chunk` as fits, starting at `from`. Returns the number of bytes copied. */
  add(chunk: Uint8Array, from: number): number {
    const count = Math.min(chunk.length - from, STREAM_PIECE_BYTES - this.length);
    this.#makeRoom(this.length + count);
    this.#buffer.set(chunk.subarray(from, from + count), this.#room + this.length);
    this.length += count;
    return count;
  }

  /** Returns the gathered bytes as a piece and starts a new one. */
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

  /** Number of bytes reserved in front of the data. */
  get #room(): number {
    return SIZE_LINE_BYTES + (this.#head?.length ?? 0);
  }

  #makeRoom(bytes: number): void {
    const room = this.#room + TAIL_BYTES;
    if (this.#buffer.length > 0 && this.#buffer.length >= room + bytes) return;
    const wanted = Math.max(bytes, 2 * this.length, SMALLEST_BYTES);
    // Not from Node.js's pool, because the buffer may be transferred.
    const needed = room + Math.min(wanted, STREAM_PIECE_BYTES);
    const used = needed <= SMALL_BYTES ? spare.pop() : needed <= WHOLE_BYTES ? this.#buffers.pop() : undefined;
    const larger = Buffer.from(used ?? new ArrayBuffer(needed));
    larger.set(this.#buffer.subarray(0, this.#room + this.length));
    this.#buffer = larger;
  }
}
