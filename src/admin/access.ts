import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type AdminRules, isLoopback } from '../options/admin.js';
import { AdminError } from './admin-error.js';

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * Decides who may use the admin listener.
 *
 * With a token, every request must have it. Without one, only programs of this machine can connect, and a browser could be one of them:
 * - A page of another site could make its own name resolve to 127.0.0.1 (DNS rebinding). The Host field would have that name.
 * - It could send requests that change something, though not read the responses. Browsers say where such requests come from.
 */
export class Access {
  readonly #token: Buffer | undefined;

  constructor({ token }: AdminRules) {
    this.#token = token === undefined ? undefined : digest(token);
  }

  /** @throws AdminError */
  check(request: IncomingMessage): void {
    if (this.#token === undefined) checkBrowser(request);
    else this.#checkToken(this.#token, request);
  }

  #checkToken(token: Buffer, { headers }: IncomingMessage): void {
    const [, given = ''] = BEARER.exec(headers.authorization ?? '') ?? [];
    // Digests have the same length, whatever the client has sent, and the comparison takes the same time.
    if (timingSafeEqual(digest(given), token)) return;
    throw new AdminError(401, 'TOKEN_REQUIRED', 'Send the token of the admin listener as `Authorization: Bearer …`.', {
      'www-authenticate': 'Bearer',
    });
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** @throws AdminError */
function checkBrowser({ method, headers }: IncomingMessage): void {
  const { host = '', origin } = headers;
  if (!isLoopback(hostName(host))) {
    throw new AdminError(
      421,
      'HOST_NOT_LOCAL',
      `The Host field must name this machine, such as \`localhost\`, got \`${host}\`. Set a token to use other names.`,
    );
  }
  if (method === 'GET' || method === 'HEAD') return;
  const site = headers['sec-fetch-site'];
  const isForeign =
    (origin !== undefined && origin !== `http://${host}`) || (site !== undefined && site !== 'same-origin');
  if (isForeign) throw new AdminError(403, 'ORIGIN_FOREIGN', 'Pages of other sites cannot use the admin listener.');
}

/** The name or address in a Host field, without port and brackets. */
function hostName(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
}
