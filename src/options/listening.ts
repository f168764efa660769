import type { ListenOptions } from 'node:net';
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import { LoopShardError } from '../errors.js';

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
  /** With `reusePort`, several threads listen there. */
  target: Pick<ListenOptions, 'host' | 'port' | 'path' | 'ipv6Only'> & { fd?: number; reusePort?: boolean };
  /** In words, for errors. */
  name: string;
  tls: TlsOptions | undefined;
}

const MAX_FD = 2 ** 31 - 1;

/**
 * Checks what is listened on.
 * @param port the port, checked
 * @throws LoopShardError OPTION_INVALID, TLS_INVALID
 */
export function resolveListening(options: ListenChoice & { httpModule?: unknown }, port: number): Listening {
  const { path, fd, host = '127.0.0.1', ipv6Only, tls } = options;
  refuseContradictions(options);
  if (typeof host !== 'string' || host === '') throw invalid('host', 'a host name or an address', host);
  if (path !== undefined && (typeof path !== 'string' || path === '')) throw invalid('path', 'a path', path);
  if (fd !== undefined && !(Number.isInteger(fd) && fd >= 0 && fd <= MAX_FD)) throw invalid('fd', 'a descriptor', fd);
  if (ipv6Only !== undefined && typeof ipv6Only !== 'boolean') throw invalid('ipv6Only', 'true or false', ipv6Only);
  if (tls !== undefined) checkTls(tls, options.httpModule !== undefined);
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

function checkTls(tls: TlsOptions, hasModule: boolean): void {
  if (typeof tls !== 'object' || tls === null) throw invalid('tls', 'an object', tls);
  // An `httpModule` may have them: then HTTP threads check once it is loaded.
  if (!hasModule) checkCertificate(tls);
  checkSecureContext(tls);
}

/** @throws LoopShardError OPTION_INVALID */
export function checkCertificate(tls: TlsOptions): void {
  if ('pfx' in tls || 'SNICallback' in tls || ('key' in tls && 'cert' in tls)) return;
  throw new LoopShardError('OPTION_INVALID', '`tls` has no certificate. Set `key` and `cert`, or `pfx`.');
}

/** @throws LoopShardError TLS_INVALID */
export function checkSecureContext(options: SecureContextOptions): void {
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
