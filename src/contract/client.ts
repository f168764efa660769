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
  const known = addresses(address, header('x-forwarded-for'), trusted);
  const hops = known.filter((one, hop) => trusted(one, hop)).length;
  const forwarded = forwardedTo(hops, header('x-forwarded-proto'))?.toLowerCase();
  return {
    ips: known.filter((one) => one !== '').reverse(),
    protocol: forwarded === 'https' || forwarded === 'http' ? forwarded : protocol,
    host: forwardedTo(hops, header('x-forwarded-host')) ?? host,
  };
}

/** That of the nearest proxy first, up to the first one that is not trusted. */
function addresses(address: string | undefined, forwardedFor: string | undefined, trusted: TrustedProxies): string[] {
  const request = { headers: { 'x-forwarded-for': forwardedFor }, connection: { remoteAddress: address ?? '' } };
  return proxyAddr().all(request as never, trusted);
}

/**
 * What the first of the trusted proxies was asked for. Each one sets the field anew or adds its own value behind those that it was
 * sent, so that the values in front of theirs are the client's word.
 */
function forwardedTo(hops: number, list: string | undefined): string | undefined {
  if (list === undefined) return undefined;
  const values = list.split(',');
  const value = values[Math.max(0, values.length - hops)].trim();
  return value === '' ? undefined : value;
}
