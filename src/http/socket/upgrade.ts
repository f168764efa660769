import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { types } from 'node:util';
import { FIELD_BYTES } from '../../../assembly/layout.js';
import { runApart } from '../../core/apart.js';
import { LoopShardError } from '../../errors.js';
import { TOKEN, trim, trimEnd } from '../../options/field-syntax.js';
import { METHODS } from '../../options/methods.js';
import type { RequestInHand } from '../parser/request-in-hand.js';

/** A request to change the protocol, as far as it is like an `http.IncomingMessage`. */
export interface UpgradeRequest {
  readonly method: string;
  /** The request target as it was sent. */
  readonly url: string;
  readonly httpVersion: '1.1';
  readonly httpVersionMajor: 1;
  readonly httpVersionMinor: 1;
  /** Names in lower case; several fields of a name are joined by ", " (`cookie` by "; "). */
  readonly headers: Record<string, string>;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: string[];
  readonly socket: Duplex;
}

/**
 * Takes over a connection. It writes the answer itself.
 * @param socket reads and writes the connection from now on
 * @param head bytes that came behind the request
 */
export type UpgradeListener = (request: UpgradeRequest, socket: Duplex, head: Buffer) => void;

/** Which offers of another protocol a listener takes up. */
export interface UpgradeOptions {
  /**
   * Names of protocols as they stand in `Upgrade` fields, without versions and in any case. A request that offers none of them
   * is answered as if it offered nothing (RFC 9110 section 7.8): `curl --http2` offers `h2c` with every first request. Default
   * `['websocket']`.
   */
  protocols?: readonly string[];
}

/** Takes over connections whose clients offer one of its protocols. HTTP thread only. */
export class Upgrades {
  readonly listener: UpgradeListener;
  /** In lower case. */
  readonly #protocols: ReadonlySet<string>;

  /** @throws LoopShardError OPTION_INVALID */
  constructor(listener: UpgradeListener, { protocols = ['websocket'] }: UpgradeOptions) {
    const isList = Array.isArray(protocols) && protocols.length > 0;
    if (!isList || !protocols.every((name) => typeof name === 'string' && TOKEN.test(name))) {
      throw new LoopShardError(
        'OPTION_INVALID',
        `Invalid \`protocols\`: expected a list of protocol names such as ["websocket"], got ${JSON.stringify(protocols)}.`,
      );
    }
    this.listener = listener;
    this.#protocols = new Set(protocols.map((name) => name.toLowerCase()));
  }

  /** @param offer value of the request's `Upgrade` field: a list of names, perhaps with versions */
  takes(offer: string | undefined): boolean {
    return offer?.split(',').some((one) => this.#protocols.has(trim(one.split('/', 1)[0]).toLowerCase())) === true;
  }
}

/**
 * The connection behind an upgrade. A stream of its own, because a socket that reads into the parser's memory cannot go
 * back to reading into buffers of its own. HTTP thread only.
 */
export class UpgradedSocket extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    // A listener that does not look for the end shall not keep the connection.
    super({ allowHalfOpen: false });
    // A client that resets the connection must not end the process because the listener did not think of it.
    this.on('error', () => {});
    this.#socket = socket;
    socket.on('timeout', () => this.emit('timeout'));
  }

  /** Bytes that have come, in memory that is used again. */
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
    // A listener that only refuses reads nothing; the client's end has to be seen all the same.
    if (this.readableFlowing === null) this.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  // ── what protocols ask of a socket ──────────────────────────────────────────────────────────────────────────────

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

  /** `true` over TLS. */
  get encrypted(): boolean {
    return (this.#socket as TLSSocket).encrypted === true;
  }
}

/** Takes connections over, perhaps. */
export interface UpgradeHost {
  readonly upgrades: Upgrades | undefined;
  /** The listener has thrown. */
  onUpgradeError(error: unknown): void;
}

/** A connection on its way to another protocol: behind answers that come first, then its listener's. HTTP thread only. */
export class Handover {
  /** The connection for the other protocol, once it has been handed over. */
  socket: UpgradedSocket | undefined;
  readonly #host: UpgradeHost;
  #request: UpgradeRequest | undefined;

  constructor(host: UpgradeHost) {
    this.#host = host;
  }

  /** A client waits to be handed over. */
  get isPending(): boolean {
    return this.#request !== undefined;
  }

  begin(request: RequestInHand, socket: Socket): void {
    this.#request = readUpgrade(request, new UpgradedSocket(socket));
    socket.pause();
  }

  /**
   * Nothing is owed any more: the connection is the listener's.
   * @param parser has what came behind the request, and is not needed any more
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
      // An async listener fails later.
      if (types.isPromise(result)) result.catch((error) => this.#fail(upgraded, error));
    } catch (error) {
      this.#fail(upgraded, error);
    }
  }

  /** Bytes that have come. What the listener's own listeners throw costs this connection, not the server. */
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

/** The request in hand, in strings, since its memory is used again. */
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
    method: METHODS[request.method],
    url: headSource.latin1Slice(headStart, headStart + request.targetBytes),
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    headers,
    rawHeaders,
    socket,
  };
}
