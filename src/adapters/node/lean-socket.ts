import { EventEmitter } from 'node:events';
import { isIP } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';
import { RAW, type RawHost, type RawReply } from '../../app/raw.js';
import type { BodyFlow, BodySink, RequestSource } from '../../app/request.js';
import type { ResponseState } from '../../app/response-state.js';
import type { NodeRequest } from '../../app/upgrades/incoming-message.js';
import type { NodeServer } from './http-server.js';
import { abortedError, emitClose, emitDrain, type NodeResponse } from './messages.js';

type Callback = (error?: Error | null) => void;

/** The most bytes that a UTF-16 unit takes. */
const MOST_BYTES_OF_UNIT = 3;
const LINE_END = '\r\n';
/** Headers that tell where a body ends. */
const FRAMING = /\r\n(?:content-length|transfer-encoding):/i;
/** How a response begins that is not the final one. */
const INTERIM = 'HTTP/1.1 1';

let callBack: (socket: LeanSocket) => void;
let tellFlushed: (socket: LeanSocket) => void;
let closeMessages: (socket: LeanSocket) => void;

/** Whose requests the sockets carry. */
export interface SocketOwner {
  /** Its `timeout` is that of sockets. Undefined if the app has none. */
  readonly server: NodeServer | undefined;
  /** The same, or a server that is created now: some middleware adds listeners of `upgrade` to `req.socket.server`. */
  serverOfSockets(): NodeServer;
}

/** Bytes that may wait before `write()` returns false. */
const HIGH_WATER_MARK = getDefaultHighWaterMark(false);

/**
 * Stands in for the socket of one request: takes the bytes that its ServerResponse writes, and delivers its body to its IncomingMessage.
 * Has what node:http, frameworks and their middleware use of sockets. Shard only.
 */
export class LeanSocket extends EventEmitter implements RawReply, BodySink {
  readonly [RAW] = true;
  readonly isUpgrade = false;
  /** The response, until it has finished. */
  _httpMessage: NodeResponse | null = null;
  readonly _paused = false;
  destroyed = false;
  errored: Error | null = null;
  closed = false;
  bytesWritten = 0;
  bytesRead = 0;
  /** In milliseconds; 0 if none is set. */
  timeout = 0;
  connecting = false;
  /** Only sockets with TLS have it: frameworks derive the protocol from it, and tests set it. */
  declare encrypted?: true;
  readonly owner: SocketOwner;
  isComplete = false;
  mostBytes = 0;
  #chunks: (string | Uint8Array)[] = [];
  readonly #encodings: (BufferEncoding | undefined)[] = [];
  #callbacks: Callback[] = [];
  #corked = 0;
  /** Known once the response is complete. */
  #closes = false;
  #host: RawHost | undefined;
  #task: unknown;
  /** The app failed before the shard was attached. */
  #failure: { error: unknown } | undefined;
  #request: NodeRequest | undefined;
  /** The rest of a body that arrives in pieces. */
  #flow: BodyFlow | undefined;
  /** The request has asked for its body. */
  #isReading = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #source: RequestSource;
  readonly #peer: RequestSource['peer'];
  readonly #state: ResponseState;

  constructor(source: RequestSource, state: ResponseState, owner: SocketOwner) {
    super();
    this.owner = owner;
    this.#source = source;
    // Read now, because the app may ask once the slot carries another request.
    this.#peer = source.peer;
    if (this.#peer.isSecure) this.encrypted = true;
    this.#state = state;
  }

  // ── the response, for the shard ─────────────────────────────────────────────────────────────────────────────────

  attach(host: RawHost, task: unknown): void {
    this.#host = host;
    this.#task = task;
    if (this.#failure !== undefined) host.onFailed(task, this.#failure.error);
    else if (this.#chunks.length > 0) host.onWritten(task);
  }

  get closes(): boolean {
    return this.#closes || this._httpMessage?._last === true;
  }

  get isFramed(): boolean {
    return FRAMING.test(this._httpMessage?._header ?? '');
  }

  get isSettled(): boolean {
    return this.isComplete && this.#chunks.length === 0 && this.#flow === undefined;
  }

  get byteLength(): number {
    return this.#chunks.reduce((sum, chunk, i) => sum + Buffer.byteLength(chunk as string, this.#encodings[i]), 0);
  }

  writeTo(memory: Buffer, at: number): number {
    let end = at;
    const chunks = this.#chunks;
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i];
      if (typeof chunk === 'string') end += writeText(memory, chunk, end, this.#encodings[i]);
      else {
        memory.set(chunk, end);
        end += chunk.length;
      }
    }
    this.#chunks = [];
    this.mostBytes = 0;
    this.bytesWritten += end - at;
    this.#afterLast();
    return end;
  }

  shift(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    const encoding = this.#encodings.shift();
    this.mostBytes -= mostBytesOf(chunk, encoding);
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    this.bytesWritten += bytes.length;
    this.#afterLast();
    return bytes;
  }

  /** Finishes a response once its last byte was passed on. */
  #afterLast(): void {
    if (this.isComplete && this.#chunks.length === 0) process.nextTick(callBack, this);
  }

  insertLines(lines: string): void {
    const head = this.#chunks[0];
    // Behind the status line. An app that writes to the socket itself may write bytes, or one byte at a time.
    const at = typeof head === 'string' ? head.indexOf(LINE_END) + LINE_END.length : 0;
    if (typeof head !== 'string' || at < LINE_END.length) return;
    this.#chunks[0] = head.slice(0, at) + lines + head.slice(at);
    this.mostBytes += mostBytesOf(lines, this.#encodings[0]);
  }

  onFlushed(): void {
    // Later, because the app may be within a call of `write()` or `end()`, which calls back only afterwards.
    process.nextTick(tellFlushed, this);
  }

  #tellFlushed(): void {
    // Something was written since.
    if (this.#chunks.length > 0) return;
    if (!this.isComplete) this.emit('drain');
    if (this._httpMessage !== null) emitDrain(this._httpMessage);
    this.#callBack();
  }

  /** The response was sent, or nobody waits for it. No more of the body arrives. */
  onOver(): void {
    const isArriving = this.#flow !== undefined;
    this.#flow = undefined;
    if (!this.isComplete || this.#chunks.length > 0) return this.#close();
    // An app that is still reading must not take the body for complete.
    const request = this.#request!;
    if (isArriving && (request._consuming || request.readableFlowing)) process.nextTick(abortRequest, request);
  }

  // ── the response, for the app ───────────────────────────────────────────────────────────────────────────────────

  write(chunk: string | Uint8Array, encoding?: BufferEncoding | Callback | null, callback?: Callback | null): boolean {
    if (typeof encoding === 'function') return this.write(chunk, undefined, encoding);
    if (!this.writable) {
      if (typeof callback === 'function') process.nextTick(callback, this.errored ?? abortedError());
      return false;
    }
    if (typeof callback === 'function') this.#callbacks.push(callback);
    if (this._httpMessage?._headerSent === false && this.#isInterim(chunk)) return true;
    if (typeof encoding === 'string' && !Buffer.isEncoding(encoding)) throw unknownEncoding(encoding);
    if (chunk.length > 0) {
      this.#chunks.push(chunk);
      this.#encodings.push(encoding ?? undefined);
      this.mostBytes += mostBytesOf(chunk, encoding ?? undefined);
    }
    this.#timer?.refresh();
    if (this.#corked === 0) this.#host?.onWritten(this.#task);
    return this.mostBytes < this.writableHighWaterMark;
  }

  #isInterim(chunk: string | Uint8Array): boolean {
    if (typeof chunk !== 'string' || !chunk.startsWith(INTERIM)) return false;
    this.#state.inform(Buffer.from(chunk, 'latin1'));
    process.nextTick(callBack, this);
    return true;
  }

  /** The ServerResponse has written its last byte. */
  complete(closes: boolean): void {
    if (!this.writable) return;
    this.isComplete = true;
    this.#closes = closes;
    clearTimeout(this.#timer);
    this.#afterLast();
    this.#host?.onComplete(this.#task);
  }

  #callBack(): void {
    const callbacks = this.#callbacks;
    if (callbacks.length === 0) return;
    this.#callbacks = [];
    for (const call of callbacks) call();
  }

  static {
    callBack = (socket) => socket.#callBack();
    tellFlushed = (socket) => socket.#tellFlushed();
    closeMessages = (socket) => socket.#closeMessages();
  }

  /** The app failed: an error response is sent if none was begun. */
  fail(error: unknown): void {
    if (this.#host === undefined) this.#failure = { error };
    else this.#host.onFailed(this.#task, error);
  }

  /** The response has finished: the app is told that its request is over. */
  detach(response: NodeResponse): void {
    this._httpMessage = null;
    const request = this.#request!;
    if (request.listenerCount('end') + request.listenerCount('close') > 0) this.#endRequest(request);
    process.nextTick(emitClose, response);
  }

  #endRequest(request: NodeRequest): void {
    if (request.readableEnded || request.destroyed) return;
    if (request.complete) request.push(null);
    if (!request._consuming && !request._readableState.resumeScheduled) request._dump();
  }

  // ── the request ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Delivers the body to the request, once the app has been called with it. */
  deliver(request: NodeRequest): void {
    this.#request = request;
    this.#flow = this.#source.deliver(this);
    if (this.#flow !== undefined) {
      // As in node:http, what the client sends anyway arrives before it is read. Reading has the client told to continue.
      if (this.#isReading || request.headers.expect === undefined) this.#flow.resume();
      return;
    }
    request.complete = true;
    // If the app has responded without reading the body, nobody will.
    if (this.isComplete || this.destroyed) return;
    if (this.#source.hasBody) this.#push(request, Buffer.from(this.#source.copyBytes().buffer));
    request.push(null);
  }

  #push(request: NodeRequest, chunk: Buffer): void {
    this.bytesRead += chunk.length;
    this.#timer?.refresh();
    request.push(chunk);
  }

  onChunk(chunk: Buffer): void {
    if (!this.#request!.destroyed) this.#push(this.#request!, chunk);
  }

  onEnd(trailers: readonly string[]): void {
    this.#flow = undefined;
    const request = this.#request!;
    request.complete = true;
    if (trailers.length > 0) request._addHeaderLines([...trailers], trailers.length);
    if (!request.destroyed) request.push(null);
  }

  onBroken(): void {
    this.#flow = undefined;
    process.nextTick(abortRequest, this.#request);
  }

  /** The request has room for more of its body. */
  resume(): this {
    this.#isReading = true;
    this.#flow?.resume();
    return this;
  }

  pause(): this {
    return this;
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Closes the connection, without a response or in the middle of it. */
  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.errored = error ?? null;
    if (!this.isComplete) this.#state.destroy();
    this.#close();
    return this;
  }

  destroySoon(): void {
    this.end();
  }

  /** Closes the connection after what was written, which the app has then formed without a ServerResponse. */
  end(chunk?: string | Uint8Array, encoding?: BufferEncoding, callback?: Callback): this {
    if (chunk !== undefined) this.write(chunk, encoding, callback);
    if (this.#chunks.length > 0 || this.bytesWritten > 0) this.complete(true);
    else this.destroy();
    return this;
  }

  #close(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    clearTimeout(this.#timer);
    process.nextTick(closeMessages, this);
  }

  /** As in node:http: first the request, then the response, then listeners of the socket. */
  #closeMessages(): void {
    this.closed = true;
    if (this.#request !== undefined) abortRequest(this.#request);
    if (this._httpMessage !== null) emitClose(this._httpMessage);
    if (this.errored !== null && this.listenerCount('error') > 0) this.emit('error', this.errored);
    this.emit('close', this.errored !== null);
  }

  // ── members of sockets ──────────────────────────────────────────────────────────────────────────────────────────

  get readable(): boolean {
    return !this.destroyed;
  }

  get writable(): boolean {
    return !this.destroyed && !this.isComplete;
  }

  get writableEnded(): boolean {
    return this.isComplete;
  }

  /** What is left of a complete response is up to the server. */
  get writableLength(): number {
    return this.isComplete ? 0 : this.mostBytes;
  }

  get writableHighWaterMark(): number {
    return HIGH_WATER_MARK;
  }

  get readableHighWaterMark(): number {
    return HIGH_WATER_MARK;
  }

  get writableCorked(): number {
    return this.#corked;
  }

  cork(): void {
    this.#corked++;
  }

  uncork(): void {
    if (this.#corked === 0) return;
    this.#corked--;
    if (this.#corked === 0 && this.#chunks.length > 0) this.#host?.onWritten(this.#task);
  }

  /** Where ServerResponse resets the number of calls of `cork()` before its last `uncork()`. */
  get _writableState(): { corked: number } {
    return this;
  }

  get corked(): number {
    return this.#corked;
  }

  set corked(calls: number) {
    this.#corked = calls;
  }

  get remoteAddress(): string | undefined {
    return this.#peer.address;
  }

  get remotePort(): number | undefined {
    return this.#peer.address === undefined ? undefined : this.#peer.port;
  }

  get remoteFamily(): string | undefined {
    return this.#peer.address === undefined ? undefined : `IPv${isIP(this.#peer.address)}`;
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open';
  }

  address(): object {
    return {};
  }

  /** Emits `timeout` if nothing is read or written for as long, and closes the connection unless the request, response or server listens. */
  setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.once('timeout', listener);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.timeout = ms;
    if (ms > 0 && this.writable) this.#timer = setTimeout(timeOut, ms, this).unref();
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  get request(): NodeRequest | undefined {
    return this.#request;
  }

  /** The `http.Server` of the app. */
  get server(): NodeServer {
    return this.owner.serverOfSockets();
  }
}

function mostBytesOf(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): number {
  return typeof chunk === 'string' && encoding !== 'latin1' ? chunk.length * MOST_BYTES_OF_UNIT : chunk.length;
}

/** The error of sockets. */
function unknownEncoding(encoding: string): Error {
  return Object.assign(new TypeError(`Unknown encoding: ${encoding}`), { code: 'ERR_UNKNOWN_ENCODING' });
}

function writeText(memory: Buffer, text: string, at: number, encoding: BufferEncoding | undefined): number {
  if (encoding === undefined || encoding === 'utf8') return memory.utf8Write(text, at, memory.length - at);
  if (encoding === 'latin1') return memory.latin1Write(text, at, text.length);
  return memory.write(text, at, encoding);
}

/** Tells a request that the rest of its body never arrives, unless it has all of it. */
function abortRequest(request: NodeRequest): void {
  if (!request.destroyed && !(request.complete && request.readableEnded)) request.destroy(abortedError());
}

/** As node:http does when a socket is idle: its own listener decides, and other listeners of the socket do not keep it open. */
function timeOut(socket: LeanSocket): void {
  const { request, _httpMessage: response, owner } = socket;
  const isHeard = [
    request?.complete === false && request.emit('timeout', socket),
    response?.emit('timeout', socket),
    owner.server?.emit('timeout', socket),
  ].includes(true);
  if (!isHeard) socket.destroy();
  socket.emit('timeout');
}
