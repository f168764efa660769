import { createServer, type ListenOptions, type Server as NetServer, type Socket } from 'node:net';
import {
  createSecureContext,
  createServer as createTlsServer,
  type SecureContextOptions,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls';
import { LoopShardError } from '../../errors.js';

/** Where a server listens: `host` and `port`, or `path`, or `fd`. */
export interface ListenChoice {
  /** 0 to 65,535; 0 takes a free one. Default 8000. */
  port?: number;
  /** Address to bind; `::` for IPv6, and IPv4 besides if the system does both. Default 127.0.0.1. */
  host?: string;
  /** Without IPv4, where `host` is `::`. Default `false`. */
  ipv6Only?: boolean;
  /** Unix socket (or named pipe) to listen on, in the place of host and port. */
  path?: string;
  /** Descriptor of a socket that listens already and was inherited, in the place of host and port. */
  fd?: number;
  /**
   * Options of `tls.createServer`, `key` and `cert` above all: the server then speaks TLS. ALPN is always `http/1.1`, and
   * `handshakeTimeout` is `headersTimeoutMs` unless set. `setSecureContext` of the server changes certificates.
   */
  tls?: TlsOptions;
}

/** What is listened on, after the check. */
export interface Listening {
  target: Pick<ListenOptions, 'host' | 'port' | 'path' | 'ipv6Only'> & { fd?: number };
  /** In words, for errors. */
  name: string;
  tls: TlsOptions | undefined;
}

/** Connections the kernel holds until they are accepted. */
const BACKLOG = 1024;
const MAX_FD = 2 ** 31 - 1;

/**
 * Checks what is listened on.
 * @param port the port, checked
 * @throws LoopShardError OPTION_INVALID, TLS_INVALID
 */
export function resolveListening(options: ListenChoice, port: number): Listening {
  const { path, fd, host = '127.0.0.1', ipv6Only, tls } = options;
  refuseContradictions(options);
  if (typeof host !== 'string' || host === '') throw invalid('host', 'a host name or an address', host);
  if (path !== undefined && (typeof path !== 'string' || path === '')) throw invalid('path', 'a path', path);
  if (fd !== undefined && !(Number.isInteger(fd) && fd >= 0 && fd <= MAX_FD)) throw invalid('fd', 'a descriptor', fd);
  if (ipv6Only !== undefined && typeof ipv6Only !== 'boolean') throw invalid('ipv6Only', 'true or false', ipv6Only);
  if (tls !== undefined) checkTls(tls);
  if (path !== undefined) return { target: { path }, name: path, tls };
  if (fd !== undefined) return { target: { fd }, name: `descriptor ${fd}`, tls };
  return { target: { host, port, ipv6Only: ipv6Only === true }, name: `port ${port} of ${host}`, tls };
}

/** A server listens in one place. */
function refuseContradictions(options: ListenChoice): void {
  const places: (keyof ListenChoice)[][] = [['path'], ['fd'], ['host', 'port', 'ipv6Only']];
  const given = places.map((names) => names.filter((name) => options[name] !== undefined));
  const chosen = given.filter((names) => names.length > 0);
  if (chosen.length < 2) return;
  throw new LoopShardError(
    'OPTION_INVALID',
    `${chosen.flat().join(' and ')} contradict each other; listen on host and port, on a path, or on a descriptor.`,
  );
}

function checkTls(tls: TlsOptions): void {
  if (typeof tls !== 'object' || tls === null) throw invalid('tls', 'an object', tls);
  if (!('pfx' in tls) && !('SNICallback' in tls) && !('key' in tls && 'cert' in tls)) {
    throw new LoopShardError('OPTION_INVALID', 'The option tls has no certificate; give it key and cert, or pfx.');
  }
  checkSecureContext(tls);
}

function checkSecureContext(options: SecureContextOptions): void {
  try {
    createSecureContext(options);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new LoopShardError('TLS_INVALID', `TLS cannot use these keys and certificates: ${reason}.`, { cause });
  }
}

function invalid(name: string, wanted: string, value: unknown): LoopShardError {
  return new LoopShardError('OPTION_INVALID', `The option ${name} must be ${wanted}, not ${JSON.stringify(value)}.`);
}

/** What clients are allowed before there is a connection. */
export interface HandshakeLimits {
  headersTimeoutMs: number;
  maxConnections: number;
}

/** The socket that listens, with or without TLS. HTTP thread only. */
export class Listener {
  readonly #listening: Listening;
  readonly #server: NetServer;
  /** Connections of a TLS server, from before their handshakes on. */
  readonly #raw = new Set<Socket>();

  /** Connections of a TLS server that were closed before their handshakes, because there were enough. */
  refused = 0;

  /**
   * @param limits `headersTimeoutMs` is the time for a handshake too
   * @param onConnection is given sockets that can be read and written
   */
  constructor(listening: Listening, limits: HandshakeLimits, onConnection: (socket: Socket) => void) {
    this.#listening = listening;
    const { tls } = listening;
    const common = { allowHalfOpen: true, noDelay: true };
    if (tls === undefined) this.#server = createServer({ ...common, pauseOnConnect: true }, onConnection);
    else {
      const options = { handshakeTimeout: limits.headersTimeoutMs, ...tls, ...common, ALPNProtocols: ['http/1.1'] };
      this.#server = createTlsServer(options, onConnection);
      this.#server.maxConnections = limits.maxConnections;
      this.#server.on('drop', () => this.refused++);
      // A client that is late with its handshake is told to this event only, and not closed.
      this.#server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
      this.#server.on('connection', (socket: Socket) => this.#keep(socket));
    }
  }

  #keep(socket: Socket): void {
    this.#raw.add(socket);
    socket.once('close', () => this.#raw.delete(socket));
  }

  /**
   * @param onAcceptError told when a connection could not be accepted; the next one may be
   * @throws LoopShardError PORT_IN_USE, LISTEN_FAILED
   */
  listen(onAcceptError: (error: Error) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (cause: NodeJS.ErrnoException) => reject(listenError(cause, this.#listening));
      this.#server.once('error', refuse);
      this.#server.listen({ ...this.#listening.target, backlog: BACKLOG }, () => {
        this.#server.off('error', refuse);
        this.#server.on('error', onAcceptError);
        resolve();
      });
    });
  }

  address() {
    return this.#server.address();
  }

  /** @throws LoopShardError OPTION_INVALID, TLS_INVALID */
  setSecureContext(options: SecureContextOptions): void {
    if (this.#listening.tls === undefined) {
      throw new LoopShardError('OPTION_INVALID', 'The server does not speak TLS; start it with the option tls.');
    }
    checkSecureContext(options);
    (this.#server as TlsServer).setSecureContext(options);
  }

  /** Accepts no more. */
  close(): void {
    this.#server.close();
  }

  /** Ends handshakes too. */
  destroy(): void {
    this.#server.close();
    for (const socket of this.#raw) socket.destroy();
  }
}

function listenError(cause: NodeJS.ErrnoException, { target, name }: Listening): LoopShardError {
  if (cause.code !== 'EADDRINUSE') {
    return new LoopShardError('LISTEN_FAILED', `Cannot listen on ${name}: ${cause.message}.`, { cause });
  }
  if (target.path === undefined) {
    const sentence = `P${name.slice(1)} is in use; stop what listens there, or choose another port.`;
    return new LoopShardError('PORT_IN_USE', sentence, { cause });
  }
  const sentence = `${name} is in use; stop what listens there, or remove the file if nothing does.`;
  return new LoopShardError('LISTEN_FAILED', sentence, { cause });
}
