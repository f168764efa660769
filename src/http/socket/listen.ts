import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls';
import { types } from 'node:util';
import { type Member, Roster } from '../../core/roster.js';
import { type ConnectionSource, type Listening, listenError } from '../../options/listening.js';
import { type Accepted, dismiss, takeHandles } from './socket.js';

/** Maximum number of connections that the kernel queues until they are accepted. */
const BACKLOG = 1024;

const SOCKET_OPTIONS = { allowHalfOpen: true, noDelay: true };

/** Limits for clients during the handshake. */
export interface HandshakeLimits {
  headersTimeoutMs: number;
  maxConnections: number;
}

/** A source of connections. */
export interface Listens {
  /** Number of connections closed before their handshake ended because the limit was reached. */
  readonly refused: number;
  /**
   * Starts listening.
   * @param onAcceptError called when a connection could not be accepted; the next one may be
   * @param port instead of the port in the options
   * @throws LoopShardError PORT_IN_USE, LISTEN_FAILED
   */
  listen(onAcceptError: (error: Error) => void, port?: number): Promise<void>;
  address(): AddressInfo | string | null;
  /** @param options checked; the server uses TLS */
  setSecureContext(options: SecureContextOptions): void;
  /** Stops accepting connections. */
  close(): void;
  /** Stops accepting connections and ends handshakes. */
  destroy(): void;
}

/** A connection of a TLS server. */
interface RawConnection extends Member {
  readonly socket: Socket;
}

/** A source of connections from inside the process. */
export class InnerListener implements Listens {
  readonly refused = 0;
  readonly #source: ConnectionSource;
  readonly #onConnection: (accepted: Accepted) => void;

  constructor(source: ConnectionSource, onConnection: (accepted: Accepted) => void) {
    this.#source = source;
    this.#onConnection = onConnection;
  }

  async listen(): Promise<void> {
    this.#source.open(this.#onConnection);
  }

  address(): null {
    return null;
  }

  setSecureContext(): void {}

  close(): void {
    this.#source.open(dismiss);
  }

  destroy(): void {
    this.close();
  }
}

/** The listening sockets, with or without TLS. HTTP thread only. */
export class Listener implements Listens {
  readonly #listening: Listening;
  /** All listen in the same place. */
  readonly #servers: readonly NetServer[];
  readonly #onConnection: (accepted: Accepted) => void;
  /** Connections of a TLS server, registered before their handshakes. */
  readonly #raw = new Roster<RawConnection>();

  refused = 0;

  /**
   * @param limits `headersTimeoutMs` also limits the handshake
   * @param onConnection receives connections that are ready for reading and writing
   */
  constructor(listening: Listening, limits: HandshakeLimits, onConnection: (accepted: Accepted) => void) {
    this.#listening = listening;
    this.#onConnection = onConnection;
    const { tls, sockets = 1 } = listening;
    this.#servers = Array.from({ length: sockets }, () =>
      tls === undefined
        ? createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, onConnection)
        : this.#createTlsServer(tls, limits),
    );
  }

  #createTlsServer(tls: TlsOptions, limits: HandshakeLimits): TlsServer {
    const options = {
      handshakeTimeout: limits.headersTimeoutMs,
      ...withSafeCallbacks(tls),
      ...SOCKET_OPTIONS,
      ALPNProtocols: ['http/1.1'],
    };
    const server = createTlsServer(options, this.#onConnection);
    server.maxConnections = limits.maxConnections;
    server.on('drop', () => this.refused++);
    // If a handshake times out, only this event is emitted, and the connection is not closed.
    server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
    server.on('connection', (socket: Socket) => this.#keep(socket));
    return server;
  }

  #keep(socket: Socket): void {
    const connection = { socket, place: -1 };
    this.#raw.add(connection);
    socket.once('close', () => this.#raw.delete(connection));
  }

  async listen(onAcceptError: (error: Error) => void, port?: number): Promise<void> {
    const [first, ...others] = this.#servers;
    await this.#listenWith(first, onAcceptError, port);
    const address = first.address();
    const chosen = typeof address === 'object' ? address?.port : undefined;
    await Promise.all(others.map((server) => this.#listenWith(server, onAcceptError, chosen)));
  }

  #listenWith(server: NetServer, onAcceptError: (error: Error) => void, port: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (cause: NodeJS.ErrnoException) => reject(listenError(cause, this.#listening));
      server.once('error', refuse);
      const { target } = this.#listening;
      const options = { ...target, ...(port !== undefined && { port }), backlog: BACKLOG };
      server.listen(options, () => {
        server.off('error', refuse);
        server.on('error', onAcceptError);
        if (this.#listening.tls === undefined) takeHandles(server, this.#onConnection);
        resolve();
      });
    });
  }

  address() {
    return this.#servers[0].address();
  }

  setSecureContext(options: SecureContextOptions): void {
    for (const server of this.#servers) (server as TlsServer).setSecureContext(options);
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }

  destroy(): void {
    this.close();
    for (const { socket } of this.#raw) socket.destroy();
  }
}

/**
 * Checks that no other process listens on the port, which threads that share a port would not notice.
 * @throws LoopShardError PORT_IN_USE, LISTEN_FAILED
 */
export function checkFree(listening: Listening): Promise<void> {
  const { reusePort: _reusePort, ...target } = listening.target;
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (cause) => reject(listenError(cause, listening)));
    probe.listen(target, () => probe.close(() => resolve()));
  });
}

/** Wraps user callbacks of handshakes so that an exception fails its own handshake, and not the process. */
function withSafeCallbacks(tls: TlsOptions): TlsOptions {
  const { SNICallback, pskCallback } = tls;
  const safe = { ...tls };
  if (SNICallback !== undefined) {
    safe.SNICallback = (name, done) => {
      try {
        const result: unknown = SNICallback(name, done);
        if (types.isPromise(result)) result.catch((error) => done(error));
      } catch (error) {
        done(error as Error);
      }
    };
  }
  if (pskCallback !== undefined) {
    safe.pskCallback = (socket, identity) => {
      try {
        return pskCallback(socket, identity);
      } catch {
        // No key: the handshake fails.
        return null;
      }
    };
  }
  return safe;
}
