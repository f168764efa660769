import { addressTest, checkAddresses } from './addresses.js';
import type { Subject } from './checks.js';

/**
 * Proxies whose X-Forwarded-For, -Proto and -Host are trusted: `true` for all; a number for that many in front of the server;
 * addresses and subnets, or `loopback`, `linklocal` and `uniquelocal`, in an array or separated by commas.
 */
export type TrustProxy = boolean | number | string | readonly string[];

/** The checked option: a number of hops, or addresses; `undefined` to trust none. */
export type TrustProxyRule = number | readonly string[] | undefined;

/** Whether to trust the proxy with this address, `hop` hops away from the server. */
export type TrustedProxies = (address: string, hop: number) => boolean;

/** @throws LoopShardError OPTION_INVALID */
export function checkTrustProxy(value: TrustProxy, subject: Subject): TrustProxyRule {
  if (value === false || value === 0) return undefined;
  if (value === true) return Number.POSITIVE_INFINITY;
  if (typeof value === 'number') return subject.integer('trustProxy', value, 0, Number.MAX_SAFE_INTEGER);
  const wanted = 'a boolean, a number of proxies, or addresses such as "10.0.0.0/8" or "loopback"';
  return checkAddresses('trustProxy', value, wanted, subject);
}

/** Creates the test for a checked rule. */
export function trustedProxies(rule: TrustProxyRule): TrustedProxies | undefined {
  if (rule === undefined) return undefined;
  if (typeof rule === 'number') return (_address, hop) => hop < rule;
  return addressTest(rule);
}
