import type { Socket } from 'node:net';
import type { CoreMemory } from '../core/memory.js';
import { type Answer, errorAnswer, refusal } from './answers.js';
import { Exchange } from './exchange.js';
import type { Parsers } from './llhttp.js';
import { RequestParser, type RequestSink } from './request-parser.js';
import type { ResponseStream } from './response-stream.js';
import { readWithoutCopies } from './socket.js';

/** What a connection needs of the HTTP thread. */
export interface ConnectionHost {
  readonly core: CoreMemory;
  readonly parsers: Parsers;
  readonly bodyLimitBytes: number;
  readonly draining: boolean;
  /** Routes a request and submits it, or answers it at once. */
  admit(request: RequestParser, connection: Connection): Exchange;
  /** The answer has left: its slot is free again. */
  release(exchange: Exchange): void;
  /** The client has sent its last byte, and may be gone. */
  announceAbort(exchange: Exchange): void;
  /** The connection is closed: nobody waits for the answer any more. */
  abandon(exchange: Exchange): void;
  onConnectionClosed(connection: Connection): void;
}

/** Requests of one connection that may be in hand at once; further ones wait in the socket. */
const MAX_PIPELINED = 64;
/** How long a client has, once the kernel has its last answer, to stop sending and close (RFC 9112 section 9.6). */
const LINGER_MS = 2_000;

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');
const CLOSE_FIELD = Buffer.from('connection: close\r\n\r\n');
const KEEP_ALIVE_FIELD = Buffer.from('connection: keep-alive\r\n\r\n');
const EMPTY = Buffer.alloc(0);
const EMPTY_LINE_BYTES = 2;

/** One client: its bytes parsed, its requests in order, its answers in the same order. HTTP thread only. */
export class Connection implements RequestSink {
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #parser: RequestParser;
  /** Requests whose answers have not been handed to the socket, oldest first. */
  #first: Exchange | undefined;
  #last: Exchange | undefined;
  /** Requests in hand: those, and those whose answers the socket still holds. */
  #outstanding = 0;
  /** Handed to the socket, not yet taken by the kernel: the socket refers to their slots. */
  #unflushed: Exchange[] = [];
  #flushAnnounced = false;
  /** No further request is read: the last one said so, or was not valid. */
  #inputOver = false;
  #ended = false;
  /** A client waits for leave to send its body, behind answers that come first. */
  #owesContinue = false;

  constructor(host: ConnectionHost, accepted: Socket) {
    this.#host = host;
    const llhttp = host.parsers.instance();
    this.#parser = new RequestParser(llhttp, host.core, this, host.bodyLimitBytes);
    this.#socket = readWithoutCopies(accepted, {
      buffer: llhttp.chunk,
      onRead: (bytes) => this.#onRead(bytes),
      onBytes: (chunk) => this.#onBytes(chunk),
    });
    this.#socket.on('end', () => this.#onEnd());
    // 'close' follows, and says all there is to say.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#onClose());
  }

  /** Nothing is in hand. */
  get idle(): boolean {
    return this.#outstanding === 0;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The server drains: an idle connection ends now, another one behind its last answer. */
  drain(): void {
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#host.draining && this.idle && !this.#parser.midMessage) this.#end();
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #onRead(bytes: number): void {
    if (this.#inputOver) return;
    this.#parser.feedInPlace(bytes);
    this.#afterInput();
  }

  #onBytes(chunk: Buffer): void {
    if (this.#inputOver) return;
    this.#parser.feed(chunk);
    this.#afterInput();
  }

  #afterInput(): void {
    if (this.#parser.failure !== 0 && !this.#inputOver) this.#refuse(this.#parser.failure);
    if (!this.#inputOver && this.#parser.rest !== undefined) this.#socket.pause();
    if (this.#first?.ready === true) this.flush();
  }

  /** Goes on reading once there is room. */
  #resumeInput(): void {
    if (this.#inputOver || this.#parser.rest === undefined || this.#outstanding > MAX_PIPELINED / 2) return;
    this.#parser.resume();
    this.#afterInput();
    if (this.#parser.rest === undefined) this.#socket.resume();
  }

  onRequest(request: RequestParser): boolean {
    this.#owesContinue = false;
    const exchange = this.#host.admit(request, this);
    this.#append(exchange);
    this.#inputOver = exchange.close;
    return exchange.close || this.#outstanding >= MAX_PIPELINED;
  }

  onExpectContinue(): void {
    // In front of an answer that is still owed it would be taken for that one's.
    if (this.#first === undefined) this.#socket.write(CONTINUE);
    else this.#owesContinue = true;
  }

  /** Answers what cannot be read on from, behind the answers that are owed. */
  #refuse(status: number): void {
    this.#inputOver = true;
    const exchange = this.answered(errorAnswer(refusal(status)));
    exchange.close = true;
    this.#append(exchange);
  }

  #onEnd(): void {
    if (!this.#inputOver && !this.#parser.finish()) this.#refuse(400);
    this.#inputOver = true;
    for (let exchange = this.#first; exchange !== undefined; exchange = exchange.next) {
      this.#host.announceAbort(exchange);
    }
    if (this.#first === undefined) this.#end();
    else this.flush();
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** An exchange that the HTTP thread answers itself. */
  answered(answer: Answer): Exchange {
    const exchange = new Exchange(-1);
    exchange.connection = this;
    exchange.bytes = answer.bytes;
    exchange.headBytes = answer.headBytes;
    exchange.ready = true;
    return exchange;
  }

  /** Puts an answer into the place of a request whose slot is not back. */
  answerInstead(exchange: Exchange, answer: Answer): void {
    const instead = this.answered(answer);
    instead.close = exchange.close;
    instead.sayKeepAlive = exchange.sayKeepAlive;
    instead.next = exchange.next;
    if (this.#last === exchange) this.#last = instead;
    if (this.#first === exchange) {
      this.#first = instead;
      return;
    }
    let before = this.#first!;
    while (before.next !== exchange) before = before.next!;
    before.next = instead;
  }

  #append(exchange: Exchange): void {
    this.#outstanding++;
    if (this.#last === undefined) this.#first = exchange;
    else this.#last.next = exchange;
    this.#last = exchange;
  }

  /** Hands to the socket every answer whose turn has come. */
  flush(): void {
    const exchange = this.#first;
    if (exchange === undefined || this.#ended) return;
    if (exchange.stream !== undefined) return this.#flushStream(exchange, exchange.stream);
    if (!exchange.ready) return;
    if (exchange.next?.ready === true) this.#sendSeveral();
    else this.#sendFirst(exchange);
    this.#afterSending();
  }

  #afterSending(): void {
    if (this.#first === undefined) {
      this.#last = undefined;
      if (this.#inputOver || this.#host.draining) return this.#end();
      if (this.#owesContinue) this.#sendContinue();
    } else if (this.#first.ready || this.#first.stream !== undefined) {
      return this.flush();
    }
    if (this.#parser.rest !== undefined) this.#resumeInput();
  }

  /** Hands to the socket what there is of a stream; what is behind it waits for its end. */
  #flushStream(exchange: Exchange, stream: ResponseStream): void {
    if (!stream.begun) {
      stream.begun = true;
      if (exchange.next === undefined && this.#host.draining) exchange.close = true;
      this.#send(exchange);
    }
    stream.writeTo(this.#socket);
    if (stream.last === 'broken') return this.#cut(stream.closes);
    if (!exchange.ready) return;
    this.#first = exchange.next;
    this.#unflushed.push(exchange);
    this.#releaseFlushed();
    if (exchange.close) this.#end();
    else this.#afterSending();
  }

  /** Part of an answer was sent that will never be whole: the client must not take it for one (RFC 9112 section 8). */
  #cut(closes: boolean): void {
    this.#ended = true;
    // The end of the connection would be the end of the body.
    if (closes && !('encrypted' in this.#socket)) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #sendContinue(): void {
    this.#owesContinue = false;
    this.#socket.write(CONTINUE);
  }

  #sendFirst(exchange: Exchange): void {
    this.#first = exchange.next;
    this.#send(exchange);
    if (this.#socket.writableLength === 0 && this.#unflushed.length === 0) this.#release(exchange);
    else {
      this.#unflushed.push(exchange);
      this.#releaseFlushed();
    }
  }

  #sendSeveral(): void {
    this.#socket.cork();
    for (let exchange = this.#first; mayJoin(exchange); exchange = this.#first) {
      this.#first = exchange.next;
      this.#send(exchange);
      this.#unflushed.push(exchange);
    }
    this.#socket.uncork();
    this.#releaseFlushed();
  }

  #send(exchange: Exchange): void {
    const socket = this.#socket;
    if (this.#first === undefined && this.#host.draining) exchange.close = true;
    if (exchange.close || exchange.sayKeepAlive) this.#sendWithField(exchange);
    else socket.write(exchange.bytes!);
    if (exchange.body !== undefined) socket.write(exchange.body);
  }

  /** Rare, so the field is put in between and not left room for. */
  #sendWithField(exchange: Exchange): void {
    const bytes = exchange.bytes!;
    const socket = this.#socket;
    socket.write(bytes.subarray(0, exchange.headBytes - EMPTY_LINE_BYTES));
    socket.write(exchange.close ? CLOSE_FIELD : KEEP_ALIVE_FIELD);
    if (exchange.headBytes < bytes.length) socket.write(bytes.subarray(exchange.headBytes));
  }

  /** Frees the slots that the kernel has a copy of. */
  #releaseFlushed(): void {
    if (this.#socket.writableLength > 0) this.#announceFlush();
    else if (this.#unflushed.length > 0) this.#releaseUnflushed(this.#unflushed.length);
  }

  /** Asks to be told when what the socket holds now has left; 'drain' comes only above the high-water mark. */
  #announceFlush(): void {
    if (this.#flushAnnounced || this.#unflushed.length === 0) return;
    this.#flushAnnounced = true;
    const count = this.#unflushed.length;
    this.#socket.write(EMPTY, (error) => {
      this.#flushAnnounced = false;
      // After an error, only 'close' says that nothing refers to the slots any more.
      if (error) return;
      this.#releaseUnflushed(count);
      this.#releaseFlushed();
      this.#resumeInput();
      this.#endIfDrained();
    });
  }

  #releaseUnflushed(count: number): void {
    for (const exchange of this.#unflushed.splice(0, count)) this.#release(exchange);
  }

  #release(exchange: Exchange): void {
    this.#outstanding--;
    this.#host.release(exchange);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#inputOver = true;
    this.#socket.end();
    // What still comes is read and dropped: closing with unread input would reset the connection under the answer.
    this.#socket.resume();
    this.#socket.once('finish', () => this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy()));
  }

  #onClose(): void {
    this.#inputOver = true;
    this.#ended = true;
    this.#parser.close();
    this.#releaseUnflushed(this.#unflushed.length);
    for (let exchange = this.#first; exchange !== undefined; exchange = exchange.next) {
      exchange.connection = undefined;
      this.#host.abandon(exchange);
    }
    this.#first = undefined;
    this.#last = undefined;
    this.#host.onConnectionClosed(this);
  }
}

/** It can be sent together with what is before it. */
function mayJoin(exchange: Exchange | undefined): exchange is Exchange {
  return exchange?.ready === true && exchange.stream === undefined;
}
