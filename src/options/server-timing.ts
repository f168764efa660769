/* The option `serverTiming`. */
import { addressTest, checkAddresses } from './addresses.js';
import type { Subject } from './checks.js';

/**
 * Which clients get the `server-timing` header: `true` for all, or their addresses and subnets, or `loopback`, `linklocal` and
 * `uniquelocal`, in an array or separated by commas.
 */
export type ServerTiming = boolean | string | readonly string[];

/** The checked option: `true` for all clients, or their addresses; `undefined` for none. */
export type ServerTimingRule = true | readonly string[] | undefined;

/** @throws LoopShardError OPTION_INVALID */
export function checkServerTiming(value: ServerTiming, subject: Subject): ServerTimingRule {
  if (value === false) return undefined;
  if (value === true) return true;
  return checkAddresses('serverTiming', value, 'a boolean, or addresses such as "10.0.0.0/8" or "loopback"', subject);
}

/** Creates the test of a client's address for a checked rule. A client on a Unix socket has no address, and counts as local. */
export function timedClients(rule: ServerTimingRule): ((address: string | undefined) => boolean) | undefined {
  if (rule === undefined) return undefined;
  if (rule === true) return () => true;
  const isListed = addressTest(rule);
  return (address) => isListed(address ?? LOCAL, 0);
}

const LOCAL = '127.0.0.1';
