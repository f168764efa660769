import type { ListenOptions, Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import { LoopShardError } from '../errors.js';
import { list, Subject } from './checks.js';
import type { FlatOptions } from './flat-options.js';
import { OPTIONS, type OptionName } from './table.js';

/** The checked options for listening. */
export interface Listening {
  /** With `reusePort`, several sockets can listen there. */
  target: Pick<ListenOptions, 'host' | 'port' | 'path' | 'ipv6Only'> & { fd?: number; reusePort?: boolean };
  /** The target in words, for messages. */
  name: string;
  tls: TlsOptions | undefined;
  /** Number of sockets that listen there in each HTTP thread; default 1. */
  sockets?: number;
  /** Connections from inside the process, instead of listening. */
  source?: ConnectionSource;
}

/** A source of connections inside the process. */
export interface ConnectionSource {
  /** Starts to call `onConnection` with the server's end of each connection. */
  open(onConnection: (socket: Socket) => void): void;
}

/** The error of a server that could not listen. */
export function listenError(
  cause: NodeJS.ErrnoException,
  { target, name }: Pick<Listening, 'target' | 'name'>,
): LoopShardError {
  if (cause.code !== 'EADDRINUSE') {
    return new LoopShardError('LISTEN_FAILED', `Cannot listen on ${name}: ${cause.message}.`, { cause });
  }
  if (target.path === undefined) {
    const sentence = `P${name.slice(1)} is in use. Stop what listens there, or choose another port.`;
    return new LoopShardError('PORT_IN_USE', sentence, { cause });
  }
  const sentence = `${name} is in use. Stop what listens there, or remove the file if nothing does.`;
  return new LoopShardError('LISTEN_FAILED', sentence, { cause });
}

const MAX_FD = 2 ** 31 - 1;
const subject = new Subject('OPTION_INVALID');

/**
 * Checks where the server listens.
 * @param port the port, checked
 * @throws LoopShardError OPTION_INVALID, TLS_INVALID
 */
export function resolveListening(options: FlatOptions, port: number): Listening {
  const { path, fd, host = OPTIONS.host.default, ipv6Only, tls } = options;
  refuseContradictions(options);
  if (typeof host !== 'string' || host === '') throw subject.invalid('host', 'a host name or an IP address', host);
  if (path !== undefined && (typeof path !== 'string' || path === '')) {
    throw subject.invalid('path', 'the path of a Unix socket', path);
  }
  if (fd !== undefined) subject.integer('fd', fd, 0, MAX_FD);
  if (tls !== undefined) checkTls(tls, options.httpModule !== undefined);
  if (path !== undefined) return { target: { path }, name: path, tls };
  if (fd !== undefined) return { target: { fd }, name: `descriptor ${fd}`, tls };
  return { target: { host, port, ipv6Only: ipv6Only === true }, name: `port ${port} of ${host}`, tls };
}

/** Rejects options that name more than one place to listen. */
function refuseContradictions(options: FlatOptions): void {
  const places: OptionName[][] = [['path'], ['fd'], ['host', 'port', 'ipv6Only']];
  const given = places.map((names) => names.filter((name) => options[name] !== undefined));
  const chosen = given.filter((names) => names.length > 0);
  if (chosen.length < 2) return;
  throw subject.wrong(
    `Set \`host\` and \`port\`, or \`path\`, or \`fd\`: a server listens in one place. Got ${list(chosen.flat())}.`,
  );
}

function checkTls(tls: TlsOptions, hasModule: boolean): void {
  if (typeof tls !== 'object' || tls === null) {
    throw subject.invalid('tls', 'an object such as `{ key, cert }`', tls);
  }
  // An `httpModule` may provide the certificate. HTTP threads check it once the module is loaded.
  if (!hasModule) checkCertificate(tls);
  checkSecureContext(tls);
}

/** @throws LoopShardError OPTION_INVALID */
export function checkCertificate(tls: TlsOptions): void {
  if ('pfx' in tls || 'SNICallback' in tls || ('key' in tls && 'cert' in tls)) return;
  throw subject.wrong('Option `tls` has no certificate. Set `key` and `cert`, or `pfx`.');
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
