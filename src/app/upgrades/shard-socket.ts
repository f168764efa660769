import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';
import { RAW, type RawHost, type RawReply } from '../raw.js';
import type { BodyFlow, BodySink, RequestSource } from '../request.js';
import type { UpgradeSocket } from './upgrade-socket.js';

type Done = (error?: Error | null) => void;

/**
 * Takes over a connection.
 * @param head the first bytes that the client has sent after the request; may be empty
 */
export type TakeOver = (socket: ShardSocket, head: Buffer) => void;

/** The connection of an upgraded request, between the app and the shard. Shard only. */
export class ShardSocket extends Duplex implements UpgradeSocket, RawReply, BodySink {
  readonly [RAW] = true;
  readonly isUpgrade = true;
  readonly closes = false;
  readonly isFramed = false;
  isComplete = false;
  mostBytes = 0;
  bytesRead = 0;
  bytesWritten = 0;
  /** The `http.Server` whose listener takes over the connection, if the module has one. */
  server: object | undefined;
  /** In milliseconds; 0 if none is set. */
  timeout = 0;
  readonly connecting = false;
  readonly pending = false;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  /** Whether TLS secures the connection. */
  readonly encrypted: boolean;
  #chunks: Uint8Array[] = [];
  /** Called when everything that was written has been passed on. */
  #onPassed: Done | undefined;
  readonly #source: RequestSource;
  #takeOver: TakeOver | undefined;
  #host: RawHost | undefined;
  #task: unknown;
  #flow: BodyFlow | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param takeOver called once, when the shard has taken over the connection */
  constructor(source: RequestSource, takeOver: TakeOver) {
    super();
    // A client that resets the connection must not end the shard because the app has no error handler.
    this.on('error', ignore);
    this.#source = source;
    this.#takeOver = takeOver;
    const { address, port, isSecure } = source.peer;
    this.remoteAddress = address;
    this.remotePort = address === undefined ? undefined : port;
    this.encrypted = isSecure;
  }

  // ── for the shard ───────────────────────────────────────────────────────────────────────────────────────────────

  attach(host: RawHost, task: unknown): void {
    this.#host = host;
    this.#task = task;
    const head = this.#source.upgradeHead();
    this.#flow = this.#source.takeOver(this);
    const takeOver = this.#takeOver!;
    this.#takeOver = undefined;
    this.bytesRead = head.length;
    takeOver(this, head);
    // As on a `net.Socket`, the end is noticed even if nobody reads.
    if (!this.destroyed) this.read(0);
  }

  /** The app failed: the error is logged, and the connection is closed. */
  fail(error: unknown): void {
    if (!this.destroyed) this.#host?.onFailed(this.#task, error);
  }

  get isSettled(): boolean {
    return this.destroyed;
  }

  get byteLength(): number {
    return this.mostBytes;
  }

  writeTo(memory: Buffer, at: number): number {
    let end = at;
    for (let chunk = this.shift(); chunk !== undefined; chunk = this.shift()) {
      memory.set(chunk, end);
      end += chunk.length;
    }
    return end;
  }

  shift(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.mostBytes -= chunk.length;
    return chunk;
  }

  /** The app forms the head of its response itself. */
  insertLines(): void {}

  onFlushed(): void {
    const done = this.#onPassed;
    this.#onPassed = undefined;
    done?.();
  }

  /** The connection is lost, or the shard ends. */
  onOver(): void {
    this.destroy(connectionLost());
  }

  onChunk(chunk: Buffer): void {
    if (this.destroyed) return;
    this.bytesRead += chunk.length;
    this.#timer?.refresh();
    this.push(chunk);
  }

  onEnd(): void {
    if (this.destroyed) return;
    this.push(null);
    // As on a `net.Socket`: `end` is emitted even if nobody reads.
    this.read(0);
  }

  onBroken(): void {
    this.destroy(connectionLost());
  }

  // ── for the app ─────────────────────────────────────────────────────────────────────────────────────────────────

  override _read(): void {
    this.#flow?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#queue(chunk);
    this.#pass(done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    for (const { chunk } of chunks) this.#queue(chunk);
    this.#pass(done);
  }

  #queue(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.mostBytes += chunk.length;
    this.bytesWritten += chunk.length;
  }

  #pass(done: Done): void {
    this.#timer?.refresh();
    // As by a `net.Socket`, bytes for which there is room count as written immediately: the app may end the connection after that.
    if (this.#host?.onWritten(this.#task) === true) done();
    else this.#onPassed = done;
  }

  override _final(done: Done): void {
    this.isComplete = true;
    this.#onPassed = done;
    this.#host?.onComplete(this.#task);
  }

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#timer);
    this.#flow = undefined;
    // What was passed to `_write()` is sent, as if the kernel had it already.
    this.#host?.onClosed(this.#task);
    const onPassed = this.#onPassed;
    this.#onPassed = undefined;
    done(error);
    onPassed?.(error ?? connectionLost());
  }

  /** Closes the connection after what was written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  /** Emits `timeout` if nothing is read or written for as long. It does not close the connection. */
  setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.once('timeout', listener);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.timeout = ms;
    if (ms > 0 && !this.destroyed) this.#timer = setTimeout(emitTimeout, ms, this).unref();
    return this;
  }

  /** No effect: the HTTP thread sends without delay. */
  setNoDelay(): this {
    return this;
  }

  /** No effect. */
  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  get remoteFamily(): string | undefined {
    return this.remoteAddress === undefined ? undefined : `IPv${isIP(this.remoteAddress)}`;
  }

  get readyState(): string {
    if (this.destroyed) return 'closed';
    if (this.readable && this.writable) return 'open';
    return this.readable ? 'readOnly' : 'writeOnly';
  }

  /** Bytes that wait to be passed on. */
  get bufferSize(): number {
    return this.writableLength;
  }

  address(): object {
    return {};
  }
}

function ignore(): void {}

function emitTimeout(socket: ShardSocket): void {
  socket.emit('timeout');
}

/** The error of a `net.Socket` whose client has disconnected. */
function connectionLost(): Error {
  return Object.assign(new Error('The connection was closed.'), { code: 'ECONNRESET' });
}
