/* Protocols that follow HTTP on a connection, as clients offer them in `Upgrade` fields (RFC 9110 section 7.8). */
import { LoopShardError } from '../errors.js';
import { TOKEN, trim } from './field-syntax.js';

/** Which other protocols a handler accepts. */
export interface UpgradeOptions {
  /**
   * Protocol names as in `Upgrade` fields, without versions, case-insensitive. A request that offers none of them is handled as plain HTTP
   * (RFC 9110 section 7.8): `curl --http2` offers `h2c` with every first request. Default `['websocket']`.
   */
  protocols?: readonly string[];
}

/**
 * Returns the names in lower case.
 * @throws LoopShardError with `code`
 */
export function checkProtocols(
  { protocols = ['websocket'] }: UpgradeOptions,
  code: 'OPTION_INVALID' | 'ROUTE_INVALID',
  where = '',
): string[] {
  const isList = Array.isArray(protocols) && protocols.length > 0;
  if (!isList || !protocols.every((name) => typeof name === 'string' && TOKEN.test(name))) {
    throw new LoopShardError(
      code,
      `Invalid \`protocols\`${where}: expected a list of protocol names such as ["websocket"], got ${JSON.stringify(protocols)}.`,
    );
  }
  return protocols.map((name) => name.toLowerCase());
}

/**
 * Whether a client offers one of these protocols.
 * @param offer value of the request's `Upgrade` field: a list of names, optionally with versions
 * @param protocols in lower case
 */
export function offersOneOf(protocols: ReadonlySet<string>, offer: string | undefined): boolean {
  return offer?.split(',').some((one) => protocols.has(trim(one.split('/', 1)[0]).toLowerCase())) === true;
}
