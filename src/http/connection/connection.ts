import type { Socket } from 'node:net';
import { type Answer, errorAnswer, type Reason } from '../answers.js';
import { Exchange } from '../exchange.js';
import type { Parsers } from '../parser/llhttp.js';
import { RequestParser, type RequestSink } from '../parser/request-parser.js';
import { Output, type OutputHost } from './output.js';
import { BODY_PHASE, BUSY_PHASE, CLOSING_PHASE, HEAD_PHASE, IDLE_PHASE, type Looks, Patience } from './patience.js';
import type { ResponseStream } from './response-stream.js';
import { readWithoutCopies, unsentBytes } from './socket.js';
import { readUpgrade, UpgradedSocket, type UpgradeListener, type UpgradeRequest } from './upgrade.js';

export interface ConnectionLimits {
  bodyLimitBytes: number;
  /** 0 for any number. */
  maxRequestsPerConnection: number;
  maxBufferedBytes: number;
}

/** What a connection needs of the HTTP thread. */
export interface ConnectionHost extends OutputHost {
  readonly parsers: Parsers;
  readonly limits: ConnectionLimits;
  /** Routes a request and submits it, or answers it at once. */
  admit(request: RequestParser, connection: Connection): Exchange;
  /** Takes connections over, if there is one. */
  readonly upgradeListener: UpgradeListener | undefined;
  /** The listener has thrown. */
  onUpgradeError(error: unknown): void;
  onConnectionClosed(connection: Connection): void;
}

/** Requests of one connection that may be in hand at once; further ones wait in the socket. */
const MAX_PIPELINED = 64;

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

/** One client: its bytes parsed, its requests in order, its answers in the same order. HTTP thread only. */
export class Connection implements RequestSink {
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #parser: RequestParser;
  readonly #output: Output;
  readonly #patience = new Patience();
  /** Requests that were complete. */
  #requests = 0;
  /** No further request is read: the last one said so, or was not valid. */
  #inputOver = false;
  #ended = false;
  /** A client that wants another protocol, behind answers that come first; and then the connection for that. */
  #upgrade: UpgradeRequest | undefined;
  #upgraded: UpgradedSocket | undefined;
  /** A client waits for leave to send its body, behind answers that come first. */
  #owesContinue = false;

  constructor(host: ConnectionHost, accepted: Socket) {
    this.#host = host;
    this.#parser = new RequestParser(host.parsers, this, host.limits.bodyLimitBytes);
    this.#socket = readWithoutCopies(accepted, {
      buffer: this.#parser.chunk,
      onRead: (bytes) => this.#onRead(bytes),
      onBytes: (chunk) => this.#onBytes(chunk),
    });
    this.#output = new Output(host, this.#socket, () => this.#onFlushed());
    this.#socket.on('end', () => this.#onEnd());
    // 'close' follows, and says all there is to say.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#onClose());
  }

  /** Nothing is in hand. */
  get idle(): boolean {
    return this.#output.outstanding === 0;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The server drains: an idle connection ends now, another one behind its last answer. */
  drain(): void {
    if (this.#upgrade !== undefined || this.#upgraded !== undefined) return;
    if (this.idle && !this.#parser.midMessage) this.#end();
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #onRead(bytes: number): void {
    if (this.#upgraded !== undefined) return this.#upgraded.receive(this.#parser.chunk.subarray(0, bytes));
    if (this.#inputOver) return;
    this.#parser.feedInPlace(bytes);
    this.#afterInput();
  }

  #onBytes(chunk: Buffer): void {
    if (this.#upgraded !== undefined) return this.#upgraded.receive(chunk);
    if (this.#inputOver) return;
    this.#parser.feed(chunk);
    this.#afterInput();
  }

  #afterInput(): void {
    const { failure } = this.#parser;
    if (failure !== undefined && !this.#inputOver) this.#refuse(failure);
    if (!this.#inputOver && this.#parser.rest !== undefined) this.#socket.pause();
    if (this.#output.first?.ready === true) this.flush();
    else if (this.#upgrade !== undefined && this.#output.first === undefined) this.#handOver();
  }

  /** Goes on reading once there is room. */
  #resumeInput(): void {
    if (this.#inputOver || this.#parser.rest === undefined || this.#output.outstanding > MAX_PIPELINED / 2) return;
    if (this.#isBehind()) return;
    this.#parser.resume();
    this.#afterInput();
    if (this.#parser.rest === undefined) this.#socket.resume();
  }

  onRequest(request: RequestParser): boolean {
    this.#owesContinue = false;
    if (request.upgrade && this.#host.upgradeListener !== undefined && request.bodyBytes === 0) {
      return this.#takeUpgrade(request);
    }
    const exchange = this.#host.admit(request, this);
    if (this.#host.accessLog !== undefined) this.#host.accessLog.admitted(exchange, request);
    if (++this.#requests === this.#host.limits.maxRequestsPerConnection) exchange.close = true;
    this.#output.append(exchange);
    this.#inputOver = exchange.close;
    return exchange.close || this.#output.outstanding >= MAX_PIPELINED || this.#isBehind();
  }

  /** The client does not take its answers: it gets no more of them to wait for. */
  #isBehind(): boolean {
    return this.#socket.writableLength > this.#host.limits.maxBufferedBytes;
  }

  onExpectContinue(): void {
    // In front of an answer that is still owed it would be taken for that one's.
    if (this.#output.first === undefined) this.#socket.write(CONTINUE);
    else this.#owesContinue = true;
  }

  /** Answers what cannot be read on from, behind the answers that are owed. */
  #refuse(reason: Reason): void {
    this.#inputOver = true;
    const exchange = this.answered(errorAnswer(reason, { isHead: this.#parser.failedHead }));
    exchange.close = true;
    this.#host.accessLog?.refused(exchange);
    this.#output.append(exchange);
  }

  #onEnd(): void {
    if (this.#upgraded !== undefined) {
      this.#upgraded.push(null);
      return;
    }
    if (!this.#inputOver && !this.#parser.finish()) this.#refuse('BAD_REQUEST');
    this.#inputOver = true;
    this.#output.announceAbort();
    if (this.#output.first === undefined) this.#end();
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
    this.#host.accessLog?.replaced(exchange, instead);
    this.#output.replace(exchange, instead);
  }

  /** Hands to the socket every answer whose turn has come. */
  flush(): void {
    const { first } = this.#output;
    if (first === undefined || this.#ended) return;
    if (first.stream !== undefined) return this.#flushStream(first, first.stream);
    if (!first.ready) return;
    this.#output.sendReady();
    this.#afterSending();
  }

  #afterSending(): void {
    const { first } = this.#output;
    if (first === undefined) {
      if (this.#upgrade !== undefined) return this.#handOver();
      if (this.#inputOver || this.#host.draining) return this.#end();
      if (this.#owesContinue) this.#sendContinue();
    } else if (first.ready || first.stream !== undefined) {
      return this.flush();
    }
    if (this.#parser.rest !== undefined) this.#resumeInput();
  }

  /** What is behind a stream waits for its end. */
  #flushStream(exchange: Exchange, stream: ResponseStream): void {
    this.#output.sendStream(exchange, stream);
    if (stream.last === 'broken') return this.#cut(stream.closes);
    if (!exchange.ready) return;
    if (exchange.close) this.#end();
    else this.#afterSending();
  }

  /** Part of an answer was sent that will never be whole: the client must not take it for one (RFC 9112 section 8). */
  #cut(closes: boolean): void {
    this.#ended = true;
    // The end of the connection would be the end of the body, unless TLS tells an end from a break.
    if (closes && !('encrypted' in this.#socket)) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  #onFlushed(): void {
    this.#resumeInput();
    if (this.#host.draining) this.drain();
  }

  #sendContinue(): void {
    this.#owesContinue = false;
    this.#socket.write(CONTINUE);
  }

  // ── another protocol ────────────────────────────────────────────────────────────────────────────────────────────

  /** Returns `true`: what follows is not HTTP. */
  #takeUpgrade(request: RequestParser): true {
    this.#inputOver = true;
    const upgraded = new UpgradedSocket(this.#socket);
    this.#upgrade = readUpgrade(request, upgraded);
    this.#socket.pause();
    return true;
  }

  /** Nothing is owed any more: the connection is the listener's. */
  #handOver(): void {
    const request = this.#upgrade!;
    const upgraded = request.socket as UpgradedSocket;
    const head = this.#parser.rest ?? Buffer.alloc(0);
    this.#upgrade = undefined;
    this.#upgraded = upgraded;
    this.#parser.close();
    try {
      if (this.#host.upgradeListener === undefined) upgraded.destroy();
      else this.#host.upgradeListener(request, upgraded, head);
    } catch (error) {
      this.#host.onUpgradeError(error);
      upgraded.destroy();
    }
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks whether the client has taken too long; once in each interval of the schedule. */
  watch(looks: Looks): void {
    if (this.#upgraded !== undefined) return;
    const expiry = this.#patience.look(this.#phase(), this.#requests, unsentBytes(this.#socket), looks);
    if (expiry === 'none') return;
    if (expiry === 'destroy') this.#socket.destroy();
    else if (expiry === 'close') this.#end();
    else {
      this.#refuse('REQUEST_TIMEOUT');
      this.flush();
    }
  }

  #phase(): number {
    if (this.#ended) return this.#socket.writableLength > 0 ? BUSY_PHASE : CLOSING_PHASE;
    if (this.#inputOver || this.#owesContinue || this.#parser.rest !== undefined) return BUSY_PHASE;
    if (this.#parser.midMessage) return this.#parser.midHead ? HEAD_PHASE : BODY_PHASE;
    return this.idle ? IDLE_PHASE : BUSY_PHASE;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#inputOver = true;
    this.#socket.end();
    // What still comes is read and dropped: closing with unread input would reset the connection under the answer.
    this.#socket.resume();
  }

  #onClose(): void {
    this.#inputOver = true;
    this.#ended = true;
    if (this.#upgraded === undefined) this.#parser.close();
    else this.#upgraded.destroy();
    this.#output.close();
    this.#host.onConnectionClosed(this);
  }
}
