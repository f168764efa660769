import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { types } from 'node:util';
import { FIELD_BYTES } from '../../../assembly/layout.js';
import { runApart } from '../../core/apart.js';
import { trimEnd } from '../../options/field-syntax.js';
import { ALL_METHODS } from '../../options/methods.js';
import { checkProtocols, offersOneOf, type UpgradeOptions } from '../../options/protocols.js';
import type { RequestInHand } from '../parser/request-in-hand.js';

/** A request to change the protocol, with the parts of an `http.IncomingMessage` that apply. */
export interface UpgradeRequest {
  /** The method, usually GET. */
  readonly method: string;
  /** The request target as it was sent. */
  readonly url: string;
  /** Version of the protocol. */
  readonly httpVersion: '1.1';
  /** Its first number. */
  readonly httpVersionMajor: 1;
  /** Its second number. */
  readonly httpVersionMinor: 1;
  /** Names in lower case; several fields of a name are joined by ", " (`cookie` by "; "). */
  readonly headers: Record<string, string>;
  /** Alternating names and values, as received. */
  readonly rawHeaders: string[];
  /** The connection, which is also the second argument of the listener. */
  readonly socket: Duplex;
}

/**
 * Takes over a connection. It writes the response itself.
 * @param socket reads and writes the connection from now on
 * @param head bytes that were received after the request
 */
export type UpgradeListener = (request: UpgradeRequest, socket: Duplex, head: Buffer) => void;

/** Takes over connections whose clients offer one of its protocols. HTTP thread only. */
export class Upgrades {
  readonly listener: UpgradeListener;
  /** In lower case. */
  readonly #protocols: ReadonlySet<string>;

  /** @throws LoopShardError OPTION_INVALID */
  constructor(listener: UpgradeListener, options: UpgradeOptions) {
    this.#protocols = new Set(checkProtocols(options, 'OPTION_INVALID'));
    this.listener = listener;
  }

  /** @param offer value of the request's `Upgrade` field */
  takes(offer: string | undefined): boolean {
    return offersOneOf(this.#protocols, offer);
  }
}

/**
 * The connection after an upgrade. A separate stream, because a socket that reads into the parser's memory cannot return to its own
 * buffers. HTTP thread only.
 */
export class UpgradedSocket extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    // A listener that ignores the end must not keep the connection open.
    super({ allowHalfOpen: false });
    // A client that resets the connection must not end the process because the listener has no error handler.
    this.on('error', () => {});
    this.#socket = socket;
    socket.on('timeout', () => this.emit('timeout'));
  }

  /** Passes on received bytes, whose memory is reused. */
  receive(bytes: Buffer): void {
    if (!this.push(Buffer.from(bytes))) this.#socket.pause();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.cork();
    for (const [i, { chunk }] of chunks.entries()) {
      if (i < chunks.length - 1) this.#socket.write(chunk);
      else this.#socket.write(chunk, done);
    }
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
    // A listener that only rejects does not read, but the client's end must still be noticed.
    if (this.readableFlowing === null) this.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  // ── methods of sockets that protocols use ───────────────────────────────────────────────────────────────────────

  setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.once('timeout', listener);
    this.#socket.setTimeout(ms);
    return this;
  }

  setNoDelay(noDelay?: boolean): this {
    this.#socket.setNoDelay(noDelay);
    return this;
  }

  setKeepAlive(enable?: boolean, delayMs?: number): this {
    this.#socket.setKeepAlive(enable, delayMs);
    return this;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  /** Whether the connection uses TLS. */
  get encrypted(): boolean {
    return (this.#socket as TLSSocket).encrypted === true;
  }
}

/** What upgrades need from the HTTP thread. */
export interface UpgradeHost {
  readonly upgrades: Upgrades | undefined;
  /** The listener threw. */
  onUpgradeError(error: unknown): void;
}

/** A connection that changes to another protocol: after pending responses, its listener takes over. HTTP thread only. */
export class Handover {
  /** The connection for the other protocol, once it has been handed over. */
  socket: UpgradedSocket | undefined;
  readonly #host: UpgradeHost;
  #request: UpgradeRequest | undefined;

  constructor(host: UpgradeHost) {
    this.#host = host;
  }

  /** Whether a request waits to be handed over. */
  get isPending(): boolean {
    return this.#request !== undefined;
  }

  begin(request: RequestInHand, socket: Socket): void {
    this.#request = readUpgrade(request, new UpgradedSocket(socket));
    socket.pause();
  }

  /**
   * Hands the connection over to the listener, after the last pending response.
   * @param parser has the bytes received after the request, and is not needed any more
   */
  finish(parser: { rest: Buffer | undefined; close(): void }): void {
    const head = parser.rest ?? Buffer.alloc(0);
    parser.close();
    const request = this.#request!;
    const upgraded = request.socket as UpgradedSocket;
    this.#request = undefined;
    this.socket = upgraded;
    try {
      const { upgrades } = this.#host;
      if (upgrades === undefined) return void upgraded.destroy();
      const result: unknown = runApart(() => upgrades.listener(request, upgraded, head));
      // An async listener may fail later.
      if (types.isPromise(result)) result.catch((error) => this.#fail(upgraded, error));
    } catch (error) {
      this.#fail(upgraded, error);
    }
  }

  /** Passes on received bytes. An exception in the listener's own listeners closes this connection, not the server. */
  receive(bytes: Buffer): void {
    try {
      this.socket!.receive(bytes);
    } catch (error) {
      this.#fail(this.socket!, error);
    }
  }

  #fail(upgraded: UpgradedSocket, error: unknown): void {
    this.#host.onUpgradeError(error);
    upgraded.destroy();
  }
}

/** Copies the current request into strings, because its memory is reused. */
export function readUpgrade(request: RequestInHand, socket: Duplex): UpgradeRequest {
  const { headSource, headStart } = request;
  const index = Uint8Array.from(request.fields());
  const entries = new Uint16Array(index.buffer);
  const rawHeaders: string[] = [];
  const headers: Record<string, string> = Object.create(null);
  for (let at = 0; at < entries.length; at += FIELD_BYTES >> 1) {
    const [name, nameBytes, value, valueBytes] = entries.subarray(at, at + (FIELD_BYTES >> 1));
    const fieldName = headSource.latin1Slice(headStart + name, headStart + name + nameBytes);
    const text = trimEnd(headSource.latin1Slice(headStart + value, headStart + value + valueBytes));
    rawHeaders.push(fieldName, text);
    const key = fieldName.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}${key === 'cookie' ? '; ' : ', '}${text}` : text;
  }
  return {
    method: ALL_METHODS[request.method],
    url: headSource.latin1Slice(headStart, headStart + request.targetBytes),
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    headers,
    rawHeaders,
    socket,
  };
}
