import type { Socket } from 'node:net';
import {
  STREAM_CANCELLED,
  STREAM_PIECE_BYTES,
  STREAM_WINDOW_BYTES,
  type StreamPiece,
} from '../../contract/messages.js';
import type { Exchange, StreamedAnswer } from '../exchange.js';
import { learnBytes } from '../expected-bytes.js';
import type { Shards } from '../shards.js';

/** The shard hears of bytes that the kernel has taken when there are so many of them, not for each write. */
const REPORTED_BYTES = STREAM_WINDOW_BYTES / 4;

/** A response body that comes in pieces: what has arrived of it and was not handed to the socket. HTTP thread. */
export class ResponseStream implements StreamedAnswer {
  /** The head was handed to the socket. */
  begun = false;
  /** No piece follows: the body is whole, or will never be. */
  last: 'whole' | 'broken' | undefined;
  /** The end of the body is the end of the connection. */
  readonly closes: boolean;
  readonly #report: (taken: number, spent?: ArrayBuffer[]) => void;
  #pieces: Buffer[] = [];
  #taken = 0;
  /** Of what was taken. */
  #spent: ArrayBuffer[] = [];

  /** @param report tells the shard how many bytes the kernel has taken, or that nobody waits for more */
  constructor(closes: boolean, report: (taken: number, spent?: ArrayBuffer[]) => void) {
    this.closes = closes;
    this.#report = report;
  }

  add({ bytes, start, end, last }: StreamPiece): void {
    if (bytes !== undefined) this.#pieces.push(Buffer.from(bytes, start, end - start));
    this.last = last;
  }

  /** Hands what there is to the socket. The window bounds it, so the socket may as well hold all of it. */
  writeTo(socket: Socket): void {
    if (this.#pieces.length === 0) return;
    if (this.#pieces.length > 1) socket.cork();
    for (const piece of this.#pieces) {
      socket.write(piece, (error) => {
        if (!error) this.#onTaken(piece);
      });
    }
    if (this.#pieces.length > 1) socket.uncork();
    this.#pieces = [];
  }

  #onTaken({ length, buffer }: Buffer): void {
    this.#taken += length;
    if (length >= STREAM_PIECE_BYTES) this.#spent.push(buffer as ArrayBuffer);
    if (this.#taken < REPORTED_BYTES || this.last !== undefined) return;
    this.#report(this.#taken, this.#spent);
    this.#taken = 0;
    this.#spent = [];
  }

  /** Nobody waits for the rest. */
  cancel(): void {
    if (this.last === undefined) this.#report(STREAM_CANCELLED);
  }
}

export interface StreamEvents {
  /** The head has come. */
  onBegun(exchange: Exchange): void;
}

/** Takes the pieces that shards send, and finds out for whom they are. HTTP thread. */
export class StreamReceiver {
  readonly #shards: Shards;
  readonly #exchanges: readonly Exchange[];
  readonly #events: StreamEvents;

  constructor(shards: Shards, exchanges: readonly Exchange[], events: StreamEvents) {
    this.#shards = shards;
    this.#exchanges = exchanges;
    this.#events = events;
  }

  receive(shard: number, piece: StreamPiece): void {
    const { slot, sequence, headBytes, bodyBytes } = piece;
    const exchange = this.#exchanges[slot];
    if (bodyBytes !== undefined && exchange.route !== undefined) learnBytes(exchange.route, bodyBytes);
    if (exchange.sequence !== sequence || exchange.connection === undefined || exchange.ready) {
      // The client has left, or was answered, before the shard could know.
      if (piece.last === undefined) this.#shards.answerStream(shard, { slot, sequence, taken: STREAM_CANCELLED });
      return;
    }
    if (headBytes !== undefined) this.#begin(shard, exchange, piece, headBytes);
    else exchange.stream?.add(piece);
    exchange.connection.flush();
  }

  /** The first piece is what any other answer is: head, and as much of the body as there was. */
  #begin(shard: number, exchange: Exchange, piece: StreamPiece, headBytes: number): void {
    const { slot, sequence, bytes, start, end, closes = false, last } = piece;
    exchange.bytes = Buffer.from(bytes!, start, end - start);
    exchange.headBytes = headBytes;
    if (closes) exchange.close = true;
    const stream = new ResponseStream(closes, (taken, spent) =>
      this.#shards.answerStream(shard, { slot, sequence, taken, ...(spent && { spent }) }),
    );
    stream.last = last;
    exchange.stream = stream;
    this.#events.onBegun(exchange);
  }
}
