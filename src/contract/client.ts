import type ProxyAddr from 'proxy-addr';
import { lazily } from '../core/lazily.js';
import type { TrustedProxies } from '../options/trust-proxy.js';
import type { Peer } from './peer.js';

const proxyAddr = lazily<typeof ProxyAddr>('proxy-addr');

/** The client of a request, according to trusted proxies. */
export interface Client {
  /** Addresses from the client to the nearest trusted proxy; empty for a Unix socket. */
  readonly ips: readonly string[];
  readonly protocol: 'http' | 'https';
  /** Host and port that the client requested. */
  readonly host: string | undefined;
}

/**
 * Determines the client of a request. HTTP thread and shard.
 * @param trusted undefined if no proxy is trusted
 * @param header returns the value of a header field
 */
export function clientOf(
  { address, isSecure }: Peer,
  trusted: TrustedProxies | undefined,
  header: (name: string) => string | undefined,
): Client {
  const protocol = isSecure ? 'https' : 'http';
  const host = header('host');
  // A proxy on a Unix socket has no address, but counts as the first hop.
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

/** Addresses from the nearest proxy to the first one that is not trusted. */
function addresses(address: string | undefined, forwardedFor: string | undefined, trusted: TrustedProxies): string[] {
  const request = { headers: { 'x-forwarded-for': forwardedFor }, connection: { remoteAddress: address ?? '' } };
  return proxyAddr().all(request as never, trusted);
}

/**
 * The value that the outermost trusted proxy forwarded. Each proxy replaces the field or appends its own value to the received ones, so
 * earlier values may be forged by the client.
 */
function forwardedTo(hops: number, list: string | undefined): string | undefined {
  if (list === undefined) return undefined;
  const values = list.split(',');
  const value = values[Math.max(0, values.length - hops)].trim();
  return value === '' ? undefined : value;
}
