import type { Socket } from 'node:net';
import { type Peer, peerWords } from '../../contract/peer.js';
import type { Member } from '../../core/roster.js';
import { METHODS } from '../../options/methods.js';
import type { Reason } from '../answers.js';
import { type FlushReceiver, Output } from '../completion/output.js';
import { Exchange, type Receiver, type StreamedAnswer } from '../exchange.js';
import { CHUNK_BYTES } from '../parser/llhttp.js';
import type { RequestInHand } from '../parser/request-in-hand.js';
import { RequestParser } from '../parser/request-parser.js';
import type { RequestSink } from '../parser/request-sink.js';
import type { ConnectionHost } from './host.js';
import { CLOSING_PHASE, type Looks, Patience, phaseOf, STREAM_PHASE } from './patience.js';
import type { RequestStream } from './request-stream.js';
import { type Accepted, breakOff, endsInOrder, type Reader, readFrom, unsentBytes } from './socket.js';
import { Handover } from './upgrade.js';
import { Uploads } from './uploads.js';

/** Requests of one connection that may be in flight at once; further ones wait in the socket. */
const MAX_PIPELINED = 64;

/** Maximum number of bytes read and discarded after the last response. */
const MAX_DROPPED_BYTES = 64 * 1024 * 1024;

const HEAD = METHODS.indexOf('HEAD');
const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

/** One client: parses its bytes, and keeps its requests and responses in order. HTTP thread only. */
export class Connection implements RequestSink, Receiver, Reader, FlushReceiver, Member {
  place = -1;
  readonly #host: ConnectionHost<Connection>;
  readonly #socket: Socket;
  readonly #parser: RequestParser;
  readonly #output: Output;
  readonly #patience = new Patience();
  readonly uploads = new Uploads();
  /** Number of complete requests. */
  #requests = 0;
  /** Whether no further request is read: the last one closes the connection, or was invalid. */
  #inputOver = false;
  /** Whether the client has announced its last request, which had no body, and has sent nothing since. */
  #saidClose = false;
  #ended = false;
  /** Whether the socket reads into the parser's chunk, and not into the record of a large request. */
  #isReadingChunk = false;
  #isLeaving = false;
  /** Bytes that have arrived since the end. */
  #dropped = 0;
  readonly #handover: Handover;
  /** What follows a request whose handler may take over the connection: it is not parsed before the response begins. */
  #offer: RequestStream | undefined;
  /** Whether the client has ended its side before the handler has decided. */
  #endsBehindOffer = false;
  /** Whether a shard has taken over the connection. */
  isUpgraded = false;
  /** Whether a client waits for `100 Continue`, which pending responses delay. */
  #owesContinue = false;
  #peer: Int32Array | undefined;

  constructor(host: ConnectionHost<Connection>, accepted: Accepted) {
    this.#host = host;
    this.#handover = new Handover(host);
    this.#parser = new RequestParser(host.parsers, this, host);
    this.#socket = readFrom(accepted, this);
    this.#output = new Output(host, this.#socket, this);
  }

  /** Looked up at the first request, because many connections never have one. */
  get peer(): Int32Array {
    this.#peer ??= peerWords(this.#remote);
    return this.#peer;
  }

  get #remote(): Peer {
    const { remoteAddress: address, remotePort: port = 0 } = this.#socket;
    return { address, port, isSecure: this.#host.isSecure };
  }

  /** Whether no request is in flight. */
  get idle(): boolean {
    return this.#output.outstanding === 0;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Closes the connection if the record of its current request lies in memory of `room`. */
  leaveRoom(room: object): void {
    if (this.#parser.room === room) this.#socket.destroy();
  }

  /** Drops the connection after a failure, such as an allocation, that affects only this client. */
  #fail(error: unknown): void {
    this.#socket.destroy();
    this.#host.onConnectionFailure(error);
  }

  /**
   * The server is about to drain: closes the connection after the latest pending response or, if none is pending, after the next one.
   * That response says so.
   */
  leave(): void {
    this.#isLeaving = true;
    const { first } = this.#output;
    // The head of the only response was sent, or another request is arriving, whose response can say it.
    const isTooLate = first?.stream?.begun === true && first.next === undefined;
    if (isTooLate || this.#handover.isPending || this.#parser.midMessage || this.#parser.rest !== undefined) return;
    if (this.#output.closeBehindLast()) this.#inputOver = true;
  }

  /** The server drains: closes an idle connection now, any other one after its last response. */
  drain(): void {
    if (this.#handover.isPending || this.#handover.socket !== undefined) return;
    if (this.idle && !this.#parser.midMessage) this.#end();
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Where the socket reads to; undefined if that has not changed. */
  nextBuffer(): Uint8Array | undefined {
    if (!this.#parser.isDirect) {
      if (this.#isReadingChunk) return undefined;
      this.#isReadingChunk = true;
      return this.#parser.chunk;
    }
    this.#isReadingChunk = false;
    return this.#parser.readTarget;
  }

  onRead(bytes: number): void {
    try {
      if (this.#handover.socket !== undefined || this.isUpgraded) {
        return this.#receive(this.#parser.chunk.subarray(0, bytes));
      }
      this.#host.counts?.received(bytes);
      if (this.#inputOver) return this.#drop(bytes);
      if (this.#isReadingChunk) this.#parser.feedInPlace(bytes);
      else this.#parser.filled(bytes);
      this.#afterInput();
    } catch (error) {
      this.#fail(error);
    }
  }

  onBytes(chunk: Buffer): void {
    try {
      this.#receive(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#handover.socket !== undefined) return this.#handover.receive(chunk);
    this.#host.counts?.received(chunk.length);
    if (this.#inputOver) return this.#drop(chunk.length);
    if (this.isUpgraded) return this.#passOn(chunk);
    this.#parser.feed(chunk);
    this.#afterInput();
  }

  /** Discards what follows the last request. */
  #drop(bytes: number): void {
    this.#saidClose = false;
    if (!this.#ended) return;
    this.#dropped += bytes;
    if (this.#dropped > MAX_DROPPED_BYTES) this.#socket.destroy();
  }

  #afterInput(): void {
    const { failure } = this.#parser;
    this.uploads.current?.flush();
    if (failure !== undefined && !this.#inputOver) this.#refuse(failure);
    if (!this.#inputOver && (this.uploads.hold() || this.#hasRest)) this.#socket.pause();
    if (this.#output.first?.ready === true) this.flush();
    else if (this.#handover.isPending && this.#output.first === undefined) this.#handover.finish(this.#parser);
  }

  /** Whether bytes wait to be parsed. Without any, the end of a client that waits for the handler's decision is noticed. */
  get #hasRest(): boolean {
    const { rest } = this.#parser;
    return rest !== undefined && (this.#offer === undefined || rest.length > 0);
  }

  /** Continues reading once there is room. */
  #resumeInput(): void {
    if (this.#inputOver || this.#offer !== undefined) return;
    if (this.uploads.isHeld) {
      if (this.uploads.hold()) return;
      if (this.#parser.rest === undefined) this.#socket.resume();
    }
    if (this.#parser.rest === undefined || this.#output.outstanding > MAX_PIPELINED / 2) return;
    if (this.#isBehind()) return;
    this.#parser.resume();
    this.#afterInput();
    if (this.#parser.rest === undefined && !this.uploads.isHeld) this.#socket.resume();
  }

  onRequest(request: RequestInHand): boolean {
    this.#owesContinue = false;
    if (request.upgrade && request.bodyBytes === 0 && this.#host.upgrades?.takes(request.list('upgrade')) === true) {
      this.#inputOver = true;
      this.#handover.begin(request, this.#socket);
      // The following bytes are not HTTP.
      return true;
    }
    const exchange = this.#admit(request);
    if (exchange.isOffer) {
      // Now, because the handler may ask for it before the message that it takes over the connection has arrived.
      this.#offer = this.uploads.create(exchange, { isHead: false, length: undefined, expectsContinue: false });
      exchange.upload = this.#offer;
      return true;
    }
    this.#inputOver = exchange.close;
    return exchange.close || this.#hasEnough();
  }

  #admit(request: RequestInHand): Exchange {
    const exchange = this.#host.admit(request, this);
    if (this.#host.accessLog !== undefined) exchange.entry = this.#host.accessLog.entry(request, this.#remote);
    // Behind a body, some clients send an empty line (RFC 9112 section 2.2).
    this.#saidClose = !request.keepAlive && !request.isStreamed && request.bodyBytes === 0;
    if (++this.#requests === this.#host.limits.maxRequestsPerConnection || this.#isLeaving) exchange.close = true;
    this.#output.append(exchange);
    return exchange;
  }

  #hasEnough(): boolean {
    return this.#output.outstanding >= MAX_PIPELINED || this.#isBehind();
  }

  /** Whether the client is not reading its responses, or expected responses are large: then we stop reading its requests. */
  #isBehind(): boolean {
    const { maxBufferedBytes } = this.#host.limits;
    return this.#socket.writableLength > maxBufferedBytes || this.#output.promisedBytes > maxBufferedBytes;
  }

  /** Waits for an extent before it continues reading. */
  onNoRoom(): void {
    this.#host.waitForRoom(this);
  }

  /** An extent may be available for the request that waits for one. */
  onRoom(): void {
    this.#resumeInput();
  }

  onExpectContinue(): void {
    // Before a pending response it would be taken for a part of that one.
    this.#owesContinue = this.#output.first !== undefined;
    if (!this.#owesContinue) this.#socket.write(CONTINUE);
  }

  // ── bodies that are read as streams ─────────────────────────────────────────────────────────────────────────────

  onStreamedHead(request: RequestInHand, length: number | undefined, expectsContinue: boolean): void {
    this.#owesContinue = false;
    this.uploads.begin(this.#admit(request), { isHead: request.method === HEAD, length, expectsContinue });
  }

  onStreamedEnd(trailers: string[]): boolean {
    const upload = this.uploads.end(trailers);
    const { exchange, isSettled } = upload;
    if (!isSettled) this.#inputOver = exchange.close;
    else if (this.#host.draining && this.#output.first === undefined) this.#end();
    return this.#inputOver || this.uploads.isFull || this.#hasEnough();
  }

  /** The handler has begun to read the body, or has read more of it. */
  onBodyTaken(): void {
    if (this.uploads.takeContinue(this.#output.first)) this.#socket.write(CONTINUE);
    this.#resumeInput();
  }

  // ── connections that shards take over ───────────────────────────────────────────────────────────────────────────

  onUpgraded(exchange: Exchange): void {
    const { rest } = this.#parser;
    this.uploads.current = this.#offer;
    this.#offer = undefined;
    this.isUpgraded = true;
    this.#parser.rest = undefined;
    this.#parser.close();
    this.#host.onUpgraded();
    if (rest !== undefined && rest.length > exchange.upgradeHeadBytes) {
      this.#passOn(rest.subarray(exchange.upgradeHeadBytes));
    }
    if (this.#endsBehindOffer) this.uploads.end([]);
    if (!this.uploads.isHeld) this.#socket.resume();
  }

  /** Passes on bytes of another protocol. */
  #passOn(bytes: Buffer): void {
    const { uploads } = this;
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      uploads.add(bytes, at, Math.min(CHUNK_BYTES, bytes.length - at), bytes.length);
      uploads.current!.flush();
    }
    if (uploads.hold()) this.#socket.pause();
  }

  /** The handler has responded without taking over the connection: what follows its request is parsed. */
  #settleOffer(): void {
    const { exchange } = this.#offer!;
    if (!exchange.ready && exchange.stream === undefined) return;
    this.#offer = undefined;
    if (exchange.close) this.#inputOver = true;
    // Even if the stream is silent, the end of the client must be noticed.
    if (!exchange.ready) this.#resumeInput();
    if (!this.#endsBehindOffer) return;
    this.#parser.resume();
    this.onEnd();
  }

  /** Rejects a body that the handler may be reading and that will never be complete. */
  #refuseUpload(upload: RequestStream, reason: Reason): void {
    if (this.uploads.settle() || upload.isSettled) {
      this.uploads.current = undefined;
      if (!this.#output.closeBehindLast()) this.#end();
      return;
    }
    const { exchange, isHead } = upload;
    if (exchange.stream?.begun === true) return this.#cut(exchange.stream.closes);
    exchange.connection = undefined;
    const refused = { ...exchange.refused, isHead, closes: true };
    const instead = Exchange.answered(this, this.#host.refusals.answer(reason, refused));
    exchange.owner?.answeredEarly(exchange, instead, reason);
    this.replace(exchange, instead);
    instead.close = true;
    this.uploads.current = undefined;
    exchange.owner?.abandon(exchange);
  }

  /** Queues an error response after the pending ones and stops reading. */
  #refuse(reason: Reason): void {
    this.#inputOver = true;
    if (this.uploads.current !== undefined) return this.#refuseUpload(this.uploads.current, reason);
    const { known } = this.#parser;
    const { refusals, accessLog } = this.#host;
    const exchange = Exchange.answered(this, refusals.answer(reason, { ...refusals.about(known), closes: true }));
    exchange.close = true;
    if (accessLog !== undefined) exchange.entry = accessLog.entry(known, this.#remote);
    this.#output.append(exchange);
  }

  onEnd(): void {
    if (this.#handover.socket !== undefined) return void this.#handover.socket.push(null);
    if (this.#offer !== undefined) {
      this.#endsBehindOffer = true;
      return;
    }
    if (this.isUpgraded) {
      if (!this.#ended) this.uploads.end([]);
      return;
    }
    if (!this.#inputOver && !this.#parser.finish()) this.#refuse('BAD_REQUEST');
    this.#inputOver = true;
    // Most clients that end their side have disconnected, but some still wait for their responses.
    this.#output.announceAbort(this.#host.limits.abortOnHalfClose);
    if (this.#output.first === undefined) this.#end();
    else this.flush();
  }

  /** The response of a request has arrived, though its turn may not have come. */
  onResponse(exchange: Exchange): void {
    if (!this.#output.arrived(exchange)) this.#socket.destroy();
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────

  replace(exchange: Exchange, instead: Exchange): void {
    this.#host.accessLog?.replaced(exchange, instead);
    this.#output.replace(exchange, instead);
    if (this.#offer?.exchange === exchange) this.#offer.exchange = instead;
    this.uploads.replace(exchange, instead);
  }

  /** Passes every response whose turn has come to the socket. */
  flush(): void {
    try {
      this.#flush();
    } catch (error) {
      this.#fail(error);
    }
  }

  #flush(): void {
    if (this.uploads.current !== undefined && this.uploads.settle()) this.#inputOver = true;
    if (this.#offer !== undefined) this.#settleOffer();
    const { first } = this.#output;
    if (first === undefined || this.#ended) return;
    if (first.interim !== undefined) this.#output.sendInterim(first);
    if (first.isCut) return this.#end();
    if (first.stream !== undefined) return this.#flushStream(first, first.stream);
    // Later responses may have arrived, so their size is known now.
    if (!first.ready) return this.#resumeInput();
    if (this.#output.sendReady()) this.#afterSending();
  }

  #afterSending(): void {
    if (this.#output.isClosing) return this.#end();
    const { first } = this.#output;
    if (first === undefined) {
      if (this.#handover.isPending) return this.#handover.finish(this.#parser);
      if (this.#inputOver || this.#host.draining) return this.#end();
      if (this.#owesContinue) this.onExpectContinue();
    } else if (first.ready || first.stream !== undefined) {
      return this.flush();
    }
    if (this.uploads.isWaiting) this.onBodyTaken();
    else if (this.#parser.rest !== undefined) this.#resumeInput();
  }

  /** Sends a stream. Responses after it wait for its end. */
  #flushStream(exchange: Exchange, stream: StreamedAnswer): void {
    this.#output.sendStream(exchange, stream);
    if (stream.last === 'broken') return this.#cut(stream.closes);
    // The shard's side has ended; the client may still send.
    if (stream.isUpgrade && stream.last === 'whole') return void this.#socket.end();
    if (!exchange.ready) return;
    if (exchange.close) this.#end();
    else this.#afterSending();
  }

  /**
   * Closes the connection after an incomplete response, which the client must not take for a complete one (RFC 9112 section 8).
   * @param closes the end of the connection would be the end of the body; otherwise its framing shows that something is missing
   */
  #cut(closes: boolean): void {
    if (!closes) return this.#end();
    this.#ended = true;
    breakOff(this.#socket);
  }

  onFlushed(): void {
    if (this.#output.first?.ready === true) this.flush();
    this.#resumeInput();
    if (this.#host.draining) this.drain();
  }

  // ── end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Checks whether the client has timed out; called once in each interval of the schedule. */
  watch(looks: Looks): void {
    if (this.#host.isPressed && !this.#output.makeRoom()) return void this.#socket.destroy();
    if (this.#handover.socket !== undefined || (this.isUpgraded && !this.#ended)) return;
    const phase = this.#phase();
    const progress = this.#progress(phase);
    const expiry = this.#patience.look(phase, progress, unsentBytes(this.#socket), this.#parser.missingBytes, looks);
    if (expiry === 'none') return;
    if (expiry === 'destroy') this.#socket.destroy();
    else if (expiry === 'close') this.#end();
    else {
      this.#refuse('REQUEST_TIMEOUT');
      this.flush();
    }
  }

  #progress(phase: number): number {
    if (phase === STREAM_PHASE) return this.uploads.received;
    return phase === CLOSING_PHASE ? this.#dropped : this.#requests;
  }

  #phase(): number {
    return phaseOf({
      hasEnded: this.#ended,
      hasUnsent: this.#socket.writableLength > 0,
      isServersTurn: this.#inputOver || this.#owesContinue || this.#parser.rest !== undefined || this.uploads.isWaiting,
      hasUpload: this.uploads.current?.isGathered === false,
      isIdle: this.idle,
      parser: this.#parser,
    });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#inputOver = true;
    // A client that has sent its last request sends nothing that would reset the connection (RFC 9112 section 9.6).
    if (this.#saidClose && this.#isDone) return void this.#socket.destroy();
    this.#output.end();
    // Further input is read and discarded: closing with unread input would reset the connection before the response is read.
    this.#socket.resume();
  }

  /** Whether all input was read and parsed, and the kernel has all output. */
  get #isDone(): boolean {
    const { failure, midMessage, rest } = this.#parser;
    const isRead = failure === undefined && !midMessage && (rest?.length ?? 0) === 0;
    return (
      isRead &&
      this.uploads.current === undefined &&
      this.#output.outstanding === 0 &&
      this.#socket.writableLength === 0 &&
      !this.#socket.isPaused() &&
      endsInOrder(this.#socket)
    );
  }

  onClosed(): void {
    this.#inputOver = true;
    this.#ended = true;
    this.#handover.socket?.destroy();
    if (this.#handover.socket === undefined && !this.isUpgraded) this.#parser.close();
    this.uploads.current?.close();
    this.#output.close();
    this.#host.onConnectionClosed(this);
  }
}
