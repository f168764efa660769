import type ProxyAddr from 'proxy-addr';
import { lazily } from '../core/lazily.js';
import type { TrustedProxies } from '../options/trust-proxy.js';
import type { Peer } from './peer.js';

const proxyAddr = lazily<typeof ProxyAddr>('proxy-addr');

/** The client of a request, as far as trusted proxies are to be believed. */
export interface Client {
  /** From the client's address to that of the nearest trusted proxy; empty for a Unix socket. */
  readonly ips: readonly string[];
  readonly protocol: 'http' | 'https';
  /** Host and port that it asked for. */
  readonly host: string | undefined;
}

/**
 * Who has sent a request. HTTP thread and shard.
 * @param trusted nothing if no proxy is
 * @param header gives the value of a header field
 */
export function clientOf(
  { address, isSecure }: Peer,
  trusted: TrustedProxies | undefined,
  header: (name: string) => string | undefined,
): Client {
  const protocol = isSecure ? 'https' : 'http';
  const host = header('host');
  // A proxy that comes by a Unix socket has no address: it counts as the first hop all the same.
  if (trusted === undefined || !trusted(address ?? '', 0)) {
    return { ips: address === undefined ? [] : [address], protocol, host };
  }
  const forwarded = firstOf(header('x-forwarded-proto'));
  return {
    ips: addresses(address, header('x-forwarded-for'), trusted),
    protocol: forwarded === 'https' || forwarded === 'http' ? forwarded : protocol,
    host: firstOf(header('x-forwarded-host')) ?? host,
  };
}

/** The client's address first. */
function addresses(address: string | undefined, forwardedFor: string | undefined, trusted: TrustedProxies): string[] {
  const request = { headers: { 'x-forwarded-for': forwardedFor }, connection: { remoteAddress: address ?? '' } };
  return proxyAddr()
    .all(request as never, trusted)
    .filter((one) => one !== '')
    .reverse();
}

/** Each proxy adds a value behind those before it. */
function firstOf(list: string | undefined): string | undefined {
  const first = list?.split(',', 1)[0].trim();
  return first === '' ? undefined : first;
}
