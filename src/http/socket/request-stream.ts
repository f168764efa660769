import { BODY_WINDOW_BYTES, type BodyPiece } from '../../contract/messages.js';
import type { Exchange, StreamedRequest } from '../exchange.js';
import { CHUNK_BYTES } from '../parser/llhttp.js';

/** The unread rest of a body is read and discarded if it is known to be no longer than this. */
const DROPPED_BYTES = BODY_WINDOW_BYTES;
/** Pieces of at least this size get a buffer that is reused. */
const LARGE_BYTES = CHUNK_BYTES / 4;

/** Memory of the HTTP thread that the streamed bodies of one connection use. */
export interface Untaken {
  bytes: number;
}

/** What the head says about such a body. */
export interface StreamedBody {
  /** Whether the request is a HEAD. */
  isHead: boolean;
  /** Undefined if the body is chunked. */
  length: number | undefined;
  expectsContinue: boolean;
}

/**
 * A request body that is read as a stream: buffers what has arrived until the shard that runs the handler asks for it, and then passes on
 * each piece. HTTP thread.
 */
export class RequestStream implements StreamedRequest {
  /** The exchange that responds to it; another one if the response is sent early. */
  exchange: Exchange;
  readonly isHead: boolean;
  /** Whether the handler is started only when the whole body has arrived. */
  readonly isGathered: boolean;
  /** Whether the client waits for `100 Continue`. */
  expectsContinue: boolean;
  /** Whether its end has arrived. */
  isWhole = false;
  /** Whether it is decided what follows the response. */
  isSettled = false;
  /** Whether the body is no longer read: what still arrives is discarded. */
  isOver = false;
  readonly #untaken: Untaken;
  readonly #slot: number;
  readonly #sequence: number;
  /** Number of missing bytes; infinite if the length was not given. */
  #left: number;
  /** This body's part of `#untaken`. */
  #held = 0;
  #send: ((piece: BodyPiece) => void) | undefined;
  /** Pieces that arrived before the shard asked for them. */
  #waiting: BodyPiece[] = [];
  /** What has arrived in the current read: chunks of a byte each are combined. */
  #piece: Uint8Array<ArrayBuffer> | undefined;
  #pieceBytes = 0;
  /** Returned buffers, for reuse. */
  readonly #spent: ArrayBuffer[] = [];

  constructor(exchange: Exchange, untaken: Untaken, { isHead, length, expectsContinue }: StreamedBody) {
    this.exchange = exchange;
    this.#slot = exchange.slot;
    this.#sequence = exchange.sequence;
    this.#untaken = untaken;
    this.#left = length ?? Number.POSITIVE_INFINITY;
    this.isHead = isHead;
    this.isGathered = exchange.route?.isStreamed === false;
    this.expectsContinue = expectsContinue;
  }

  /** Whether reading the rest is cheaper than a new connection. */
  get isNearlyWhole(): boolean {
    return this.isWhole || (!this.expectsContinue && this.#left <= DROPPED_BYTES);
  }

  /** Whether the handler has begun to read. */
  get isRead(): boolean {
    return this.#send !== undefined;
  }

  /** Adds a piece at `at` in `memory`; at most the bytes up to `end` follow before `flush`. */
  add(memory: Buffer, at: number, bytes: number, end: number): void {
    this.#left -= bytes;
    // A client that sends the body no longer waits.
    this.expectsContinue = false;
    if (this.isOver) return;
    this.#held += bytes;
    this.#untaken.bytes += bytes;
    if (this.#piece !== undefined && this.#pieceBytes + bytes > this.#piece.length) this.flush();
    this.#piece ??= this.#newPiece(end - at);
    this.#piece.set(new Uint8Array(memory.buffer, memory.byteOffset + at, bytes), this.#pieceBytes);
    this.#pieceBytes += bytes;
  }

  #newPiece(most: number): Uint8Array<ArrayBuffer> {
    if (most < LARGE_BYTES) return new Uint8Array(most);
    return new Uint8Array(this.#spent.pop() ?? new ArrayBuffer(CHUNK_BYTES));
  }

  /** Passes on the bytes of one read. */
  flush(): void {
    if (this.#piece === undefined) return;
    let { buffer } = this.#piece;
    const length = this.#pieceBytes;
    this.#piece = undefined;
    this.#pieceBytes = 0;
    if (length < LARGE_BYTES && buffer.byteLength === CHUNK_BYTES) {
      // Most of the read was framing; a waiting piece must not hold more memory than it needs.
      this.#spent.push(buffer);
      buffer = buffer.slice(0, length);
    }
    this.#pass({ slot: this.#slot, sequence: this.#sequence, bytes: buffer, length });
  }

  /** @param trailers names and values of the trailer fields, one after the other */
  end(trailers: string[]): void {
    this.isWhole = true;
    if (this.isOver) return;
    this.flush();
    const end: BodyPiece = { slot: this.#slot, sequence: this.#sequence, length: 0, last: 'whole' };
    this.#pass(trailers.length === 0 ? end : { ...end, trailers });
  }

  onContinued(): void {
    this.expectsContinue = false;
  }

  #pass(piece: BodyPiece): void {
    if (this.#send === undefined) this.#waiting.push(piece);
    else this.#send(piece);
  }

  /** The handler reads: it has taken `bytes` more bytes. */
  onTaken(bytes: number, spent: ArrayBuffer[], send: (piece: BodyPiece) => void): void {
    if (this.isOver) return;
    this.#held -= bytes;
    this.#untaken.bytes -= bytes;
    for (const buffer of spent) if (buffer.byteLength === CHUNK_BYTES) this.#spent.push(buffer);
    if (this.#send !== undefined) return;
    this.#send = send;
    for (const piece of this.#waiting) send(piece);
    this.#waiting = [];
  }

  /** Stops reading. A handler that is still reading learns that the body will never be complete. */
  close(): void {
    if (this.isOver) return;
    if (!this.isWhole) this.#send?.({ slot: this.#slot, sequence: this.#sequence, length: 0, last: 'broken' });
    this.isOver = true;
    this.#untaken.bytes -= this.#held;
    this.#waiting = [];
    this.#piece = undefined;
    this.#spent.length = 0;
  }
}
