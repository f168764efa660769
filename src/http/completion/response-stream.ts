import type { Socket } from 'node:net';
import {
  type RequestName,
  requestKey,
  STREAM_CANCELLED,
  STREAM_PIECE_BYTES,
  STREAM_WINDOW_BYTES,
  type StreamPiece,
} from '../../contract/messages.js';
import { SMALL_PIECE_BYTES } from '../../contract/stream-batch.js';
import { NumberedRoster } from '../../core/roster.js';
import { Exchange, type StreamedAnswer } from '../exchange.js';
import { learnBytes } from '../expected-bytes.js';
import type { Shards } from '../shards.js';

/** Bytes that the kernel must have taken before they are reported to the shard, instead of a report for each write. */
const REPORTED_BYTES = STREAM_WINDOW_BYTES / 4;

/** A response body that arrives in pieces: holds the pieces that were not passed to the socket yet. HTTP thread. */
export class ResponseStream implements StreamedAnswer {
  /** Whether the head was passed to the socket. */
  begun = false;
  status: number | undefined;
  /** Set when no piece follows: the body is complete, or never will be. */
  last: 'whole' | 'broken' | undefined;
  /** Whether the body ends when the connection is closed. */
  readonly closes: boolean;
  readonly isUpgrade: boolean;
  readonly #shards: Shards;
  readonly shard: number;
  readonly #name: RequestName;
  #pieces: Buffer[] = [];
  #taken = 0;
  /** Buffers of pieces that were taken. */
  #spent: ArrayBuffer[] = [];

  /** @param shard the shard that sends it */
  constructor(shards: Shards, shard: number, name: RequestName, piece: StreamPiece) {
    const { closes = false, isFramed = false, upgrades = false } = piece;
    this.#shards = shards;
    this.shard = shard;
    this.#name = name;
    this.closes = closes && !isFramed;
    this.isUpgrade = upgrades;
  }

  get key(): number {
    return requestKey(this.#name);
  }

  add({ bytes, start, end, last }: StreamPiece): void {
    if (bytes !== undefined) this.#pieces.push(Buffer.from(bytes, start, end - start));
    this.last = last;
  }

  get isOver(): boolean {
    return this.last === 'broken' || (this.last === 'whole' && !this.isUpgrade);
  }

  get waiting(): Buffer | undefined {
    return this.#pieces[0];
  }

  /** The window limits the pieces, so the socket may hold all of them. */
  writeTo(socket: Socket): number {
    if (this.#pieces.length === 0) return 0;
    let bytes = 0;
    if (this.#pieces.length > 1) socket.cork();
    // A piece that has to wait for the client must not hold the memory of others.
    const waits = socket.writableLength > 0;
    for (const one of this.#pieces) {
      const piece = waits ? ownBytes(one) : one;
      bytes += piece.length;
      socket.write(piece, (error) => {
        if (!error) this.#onTaken(piece);
      });
    }
    if (this.#pieces.length > 1) socket.uncork();
    this.#pieces = [];
    return bytes;
  }

  keep(): void {
    const last = this.#pieces.pop();
    if (last !== undefined) this.#pieces.push(ownBytes(last));
  }

  #onTaken({ length, buffer }: Buffer): void {
    this.#taken += length;
    if (length >= STREAM_PIECE_BYTES) this.#spent.push(buffer as ArrayBuffer);
    if (this.#taken < REPORTED_BYTES || this.last !== undefined) return;
    this.#report(this.#taken, this.#spent);
    this.#taken = 0;
    this.#spent = [];
  }

  /** Tells the shard how many bytes the kernel has taken, or that the client has disconnected. */
  #report(taken: number, spent?: ArrayBuffer[]): void {
    this.#shards.answerStream(this.shard, { ...this.#name, taken, ...(spent && { spent }) });
  }

  cancel(): void {
    if (this.last === undefined) this.#report(STREAM_CANCELLED);
  }

  announceAbort(): void {
    const { slot, sequence } = this.#name;
    this.#shards.abort(this.shard, slot, sequence, false);
  }
}

export interface StreamEvents {
  /** The head has arrived. */
  onBegun(exchange: Exchange): void;
}

/** Receives the pieces that shards send, and finds their responses. HTTP thread. */
export class StreamReceiver {
  readonly #shards: Shards;
  readonly #exchanges: readonly Exchange[];
  readonly #events: StreamEvents;
  /** Streams that continue without a slot, by `requestKey`; and what releases the permits that some of them hold. */
  readonly #detached = new NumberedRoster<Exchange>();
  readonly #held = new NumberedRoster<() => void>();
  /** How many of them are upgraded connections. */
  #upgrades = 0;

  constructor(shards: Shards, exchanges: readonly Exchange[], events: StreamEvents) {
    this.#shards = shards;
    this.#exchanges = exchanges;
    this.#events = events;
  }

  receive(shard: number, piece: StreamPiece): void {
    const { slot, sequence, headBytes, bodyBytes } = piece;
    const exchange = this.find(piece);
    if (exchange?.connection === undefined || exchange.ready) {
      // The client has disconnected, or got its response, before the shard could know.
      if (piece.last === undefined) this.#shards.answerStream(shard, { slot, sequence, taken: STREAM_CANCELLED });
      return;
    }
    if (bodyBytes !== undefined && exchange.route !== undefined) learnBytes(exchange.route, bodyBytes);
    if (headBytes !== undefined) this.#begin(shard, exchange, piece, headBytes);
    else exchange.stream?.add(piece);
    if (exchange.slot < 0 && exchange.stream!.isOver) this.#end(exchange);
    exchange.connection.flush();
    const { stream } = exchange;
    if (headBytes === undefined) stream?.keep();
    else if (stream?.begun === false) exchange.bytes = ownBytes(exchange.bytes!);
  }

  /** The exchange of a request, with or without a slot, if it still exists. */
  find(name: RequestName): Exchange | undefined {
    const detached = this.#detached.size === 0 ? undefined : this.#detached.get(requestKey(name));
    if (detached !== undefined) return detached;
    const exchange = this.#exchanges[name.slot];
    return exchange.sequence === name.sequence ? exchange : undefined;
  }

  /** Whether a stream that continues without a slot has this name, which no other request may get then. */
  isTaken(name: RequestName): boolean {
    return this.#detached.size > 0 && this.#detached.has(requestKey(name));
  }

  /** Number of streams that continue without a slot, except upgraded connections. */
  get count(): number {
    return this.#detached.size - this.#upgrades;
  }

  /**
   * Continues a streamed response whose slot is free with another exchange.
   * @param giveBack called when the stream has ended
   */
  detach(exchange: Exchange, giveBack: (() => void) | undefined): void {
    const { connection, stream } = exchange;
    const instead = Exchange.continued(exchange);
    connection!.replace(exchange, instead);
    exchange.connection = undefined;
    exchange.observed = undefined;
    if (stream!.isUpgrade) {
      exchange.upload = undefined;
      this.#upgrades++;
    }
    this.#detached.set(stream!.key, instead);
    if (giveBack !== undefined) this.#held.set(stream!.key, giveBack);
  }

  /** Ends a stream without a slot. */
  #end(exchange: Exchange): void {
    const { key } = exchange.stream!;
    exchange.ready = true;
    if (this.#detached.delete(key) && exchange.stream!.isUpgrade) this.#upgrades--;
    this.#held.get(key)?.();
    this.#held.delete(key);
  }

  /** The client of a response without a slot has disconnected. */
  abandon(exchange: Exchange): void {
    if (exchange.stream === undefined || exchange.ready) return;
    exchange.stream.cancel();
    this.#end(exchange);
  }

  /** The thread of `shard` has exited: breaks off its streams. */
  breakOff(shard: number): void {
    for (const exchange of this.#detached) {
      const { stream, connection } = exchange;
      if (stream!.shard !== shard) continue;
      stream!.last = 'broken';
      this.#end(exchange);
      connection?.flush();
    }
  }

  /** Begins the response: the first piece has the head and the available part of the body, like any other response. */
  #begin(shard: number, exchange: Exchange, piece: StreamPiece, headBytes: number): void {
    const { slot, sequence, bytes, start, end, closes = false, upgrades, last } = piece;
    exchange.bytes = Buffer.from(bytes!, start, end - start);
    exchange.headBytes = headBytes;
    if (closes) exchange.close = true;
    const stream = new ResponseStream(this.#shards, shard, { slot, sequence }, piece);
    stream.last = last;
    exchange.stream = stream;
    if (upgrades) exchange.connection!.onUpgraded(exchange);
    this.#events.onBegun(exchange);
  }
}

/** Copies bytes that share their buffer with others, which would otherwise be held as long. */
function ownBytes(bytes: Buffer): Buffer {
  if (bytes.length > SMALL_PIECE_BYTES) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
