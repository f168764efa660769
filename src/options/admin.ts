import { BlockList, isIP } from 'node:net';
import { type Subject, show } from './checks.js';

/** The option `admin`: a listener for people and programs that operate the server. */
export interface AdminOptions {
  /** Port of the listener; 0 takes a free one. */
  port: number;
  /** Default `127.0.0.1`. Any other than a loopback address needs a token. */
  host?: string;
  /** At least 16 characters. Default: the environment variable `LOOPSHARD_ADMIN_TOKEN`. */
  token?: string;
  /**
   * Port at the same address for the agent check of HAProxy, which weighs servers by their free permits; 0 takes a free one. It needs no token.
   * Default: none. See docs/deployment.md.
   */
  agentPort?: number;
}

/** The checked option. */
export interface AdminRules {
  port: number;
  host: string;
  token: string | undefined;
  agentPort: number | undefined;
}

export const ADMIN_TOKEN_VARIABLE = 'LOOPSHARD_ADMIN_TOKEN';
const MIN_TOKEN_LENGTH = 16;
/** Characters of a bearer token (RFC 6750 section 2.1). */
const TOKEN_SYNTAX = /^[\w\-.~+/]+=*$/;
const MAX_PORT = 65_535;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can reach the address, or the name `localhost`. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? host === 'localhost' : loopback.check(host, version === 6 ? 'ipv6' : 'ipv4');
}

/** @throws LoopShardError */
export function checkAdmin(
  admin: AdminOptions | undefined,
  subject: Subject,
  env: NodeJS.ProcessEnv = process.env,
): AdminRules | undefined {
  if (admin === undefined) return undefined;
  const given = subject.object('admin', admin, ['port', 'host', 'token', 'agentPort']);
  const { host = '127.0.0.1', token = env[ADMIN_TOKEN_VARIABLE] } = given;
  const port = subject.integer('admin.port', given.port, 0, MAX_PORT);
  const agentPort =
    given.agentPort === undefined ? undefined : subject.integer('admin.agentPort', given.agentPort, 0, MAX_PORT);
  if (typeof host !== 'string' || host === '')
    throw subject.invalid('admin.host', 'a host name or an IP address', host);
  if (
    token !== undefined &&
    !(typeof token === 'string' && token.length >= MIN_TOKEN_LENGTH && TOKEN_SYNTAX.test(token))
  ) {
    // The token itself must not get into logs.
    throw subject.wrong(
      `Option \`admin.token\`, or ${ADMIN_TOKEN_VARIABLE}, must have at least ${MIN_TOKEN_LENGTH} letters, digits or characters of \`-._~+/\`. Generate one: \`openssl rand -hex 32\`.`,
    );
  }
  if (token === undefined && !isLoopback(host)) {
    throw subject.wrong(
      `Option \`admin.host\` is ${show(host)}, which other machines can reach, but there is no token. Set \`admin.token\` or the environment variable ${ADMIN_TOKEN_VARIABLE}, or listen on 127.0.0.1.`,
    );
  }
  return { port, host, token, agentPort };
}
