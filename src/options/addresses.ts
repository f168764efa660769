/* Options that list addresses and subnets. */
import type ProxyAddr from 'proxy-addr';
import { lazily } from '../core/lazily.js';
import type { Subject } from './checks.js';

const proxyAddr = lazily<typeof ProxyAddr>('proxy-addr');

/**
 * @param value addresses and subnets, or `loopback`, `linklocal` and `uniquelocal`, in an array or separated by commas
 * @param wanted completes "must be …"
 * @throws LoopShardError OPTION_INVALID
 */
export function checkAddresses(name: string, value: unknown, wanted: string, subject: Subject): readonly string[] {
  const addresses = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
  if (!Array.isArray(addresses) || addresses.length === 0 || !addresses.every((one) => typeof one === 'string')) {
    throw subject.invalid(name, wanted, value);
  }
  try {
    addressTest(addresses);
  } catch {
    throw subject.invalid(name, wanted, value);
  }
  return addresses;
}

/** Creates the test for checked addresses. */
export function addressTest(addresses: readonly string[]): (address: string, hop: number) => boolean {
  return proxyAddr().compile([...addresses]);
}
