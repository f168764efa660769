import { isIPv6 } from 'node:net';

/** A registered name or IPv4 address (RFC 3986 section 3.2.2), and a port. */
const NAME = /^(?:[\w\-.~!$&'()*+,;=]|%[\dA-Fa-f]{2})*(?::\d*)?$/;
/** An address in brackets, and a port. */
const LITERAL = /^\[([^\]]*)\](?::\d*)?$/;
/** RFC 3986 section 3.2.2: a future version of IP address. */
const FUTURE_ADDRESS = /^v[\dA-Fa-f]+\.[\w\-.~!$&'()*+,;=:]+$/i;

/**
 * Whether a Host field may have this value: a host with an optional port (RFC 9110 section 7.2), or nothing (RFC 9112 section 3.2), but no
 * userinfo, path or white space.
 */
export function isHost(value: string): boolean {
  const literal = LITERAL.exec(value);
  if (literal === null) return NAME.test(value);
  return isIPv6(literal[1]) ? !literal[1].includes('%') : FUTURE_ADDRESS.test(literal[1]);
}

/** Whether this is the authority of an http URI, with a host that is not empty (RFC 9110 section 4.2.1). */
export function isAuthority(value: string): boolean {
  return value !== '' && !value.startsWith(':') && isHost(value);
}
