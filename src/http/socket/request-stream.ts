import { BODY_WINDOW_BYTES, type BodyPiece } from '../../contract/messages.js';
import type { Exchange, StreamedRequest } from '../exchange.js';
import { CHUNK_BYTES } from '../parser/llhttp.js';

/** What is left of a body that nobody reads is read and dropped if it is known to be no more than this. */
const DROPPED_BYTES = BODY_WINDOW_BYTES;
/** From so many bytes on, a piece gets a buffer that is used again. */
const LARGE_BYTES = CHUNK_BYTES / 4;

/** What the bodies of one connection that are read as streams take of the HTTP thread's memory. */
export interface Untaken {
  bytes: number;
}

/** What the head says of such a body. */
export interface StreamedBody {
  /** The request is a HEAD. */
  isHead: boolean;
  /** Unless it comes in chunks. */
  length: number | undefined;
  expectsContinue: boolean;
}

/**
 * A request body that is read as a stream: what has arrived of it, until the shard that runs the handler asks for it, and
 * then each piece as it comes. HTTP thread.
 */
export class RequestStream implements StreamedRequest {
  /** What answers it; another one if that is answered early. */
  exchange: Exchange;
  readonly isHead: boolean;
  /** No handler reads it: that is started when all of it is here. */
  readonly isGathered: boolean;
  /** The client waits for leave to send it. */
  expectsContinue: boolean;
  /** Its end has come. */
  isWhole = false;
  /** What follows the answer is decided. */
  isSettled = false;
  /** Nobody reads it any more: what still comes is dropped. */
  isOver = false;
  readonly #untaken: Untaken;
  readonly #slot: number;
  readonly #sequence: number;
  /** Bytes that are still to come; infinitely many if that was not said. */
  #left: number;
  /** Of `#untaken`, what is this body's. */
  #held = 0;
  #send: ((piece: BodyPiece) => void) | undefined;
  /** Pieces that arrived before anybody asked. */
  #waiting: BodyPiece[] = [];
  /** What has come in the read at hand: chunks of a byte each go together. */
  #piece: Uint8Array<ArrayBuffer> | undefined;
  #pieceBytes = 0;
  /** Buffers that have come back. */
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

  /** What is left of it is not worth a connection. */
  get isNearlyWhole(): boolean {
    return this.isWhole || (!this.expectsContinue && this.#left <= DROPPED_BYTES);
  }

  /** The handler has begun to read. */
  get isRead(): boolean {
    return this.#send !== undefined;
  }

  /** A piece at `at` in `memory`; no more than up to `end` follows before `flush`. */
  add(memory: Buffer, at: number, bytes: number, end: number): void {
    this.#left -= bytes;
    // Who sends it does not wait any more.
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

  /** Passes on what one read has brought. */
  flush(): void {
    if (this.#piece === undefined) return;
    let { buffer } = this.#piece;
    const length = this.#pieceBytes;
    this.#piece = undefined;
    this.#pieceBytes = 0;
    if (length < LARGE_BYTES && buffer.byteLength === CHUNK_BYTES) {
      // Most of the read was framing; what waits shall be no larger than it has to be.
      this.#spent.push(buffer);
      buffer = buffer.slice(0, length);
    }
    this.#pass({ slot: this.#slot, sequence: this.#sequence, bytes: buffer, length });
  }

  end(): void {
    this.isWhole = true;
    if (this.isOver) return;
    this.flush();
    this.#pass({ slot: this.#slot, sequence: this.#sequence, length: 0, last: 'whole' });
  }

  #pass(piece: BodyPiece): void {
    if (this.#send === undefined) this.#waiting.push(piece);
    else this.#send(piece);
  }

  /** The handler reads: it has taken so many bytes more. */
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

  /** Nobody reads it any more. A handler that still does hears that it will never be whole. */
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
