import type { HeadIndex } from './head-index.js';
import { isAuthority } from './host.js';

const PATH_BYTE = 1;
const QUERY_BYTE = 2;
const QUESTION_MARK = 0x3f;

/**
 * Where a byte may occur in a target: RFC 3986 sections 3.3 and 3.4, and the bytes that browsers do not encode according to the URL
 * Standard (percent-encode sets of path and query): rejecting `?ids[]=1|2` would reject browsers, not attackers. No client needs `"`, `<`,
 * `>`, `#` or, in a path, `\`, which some servers treat as `/`.
 */
const KINDS = new Uint8Array(256);
for (const byte of Buffer.from("-._~!$&'()*+,;=:@/%[]|^")) KINDS[byte] = PATH_BYTE | QUERY_BYTE;
for (const byte of Buffer.from('?{}`\\')) KINDS[byte] = QUERY_BYTE;
for (let byte = 0; byte < 128; byte++) {
  if (/[0-9A-Za-z]/.test(String.fromCharCode(byte))) KINDS[byte] = PATH_BYTE | QUERY_BYTE;
}

/** The path of the target of `bytes` bytes at `start`; undefined if it contains a byte that is not allowed. */
export function readPath(source: Buffer, start: number, bytes: number): string | undefined {
  const end = start + bytes;
  let at = start;
  while (at < end && source[at] !== QUESTION_MARK) if ((KINDS[source[at++]] & PATH_BYTE) === 0) return undefined;
  const pathEnd = at;
  while (at < end) if ((KINDS[source[at++]] & QUERY_BYTE) === 0) return undefined;
  return source.latin1Slice(start, pathEnd);
}

/** The authority of a target in absolute-form, and the equivalent target in origin-form. */
export interface AbsoluteTarget {
  /** Whether its scheme is https, not http. */
  isSecure: boolean;
  authority: string;
  target: string;
}

const ABSOLUTE = /^http(s)?:\/\/([^/?#]*)(.*)$/i;

/**
 * Parses a target in absolute-form (RFC 9112 section 3.2.2). Returns undefined unless it is http or https with a host and without userinfo
 * (RFC 9110 sections 4.2.1 and 4.2.4).
 */
export function parseAbsolute(text: string, isOptions: boolean): AbsoluteTarget | undefined {
  const found = ABSOLUTE.exec(text);
  if (found === null || !isAuthority(found[2])) return undefined;
  const [, secure, authority, rest] = found;
  const isSecure = secure !== undefined;
  if (rest.startsWith('/')) return { isSecure, authority, target: rest };
  // Without path and query, OPTIONS means the server as a whole (RFC 9112 section 3.2.4).
  return { isSecure, authority, target: rest === '' && isOptions ? '*' : `/${rest}` };
}

/**
 * Replaces a target in absolute-form by one in origin-form, and the value of Host by the target's authority (RFC 9112 section 3.2.2).
 * Returns the new head, which the index then describes.
 */
export function replaceTarget(index: HeadIndex, source: Buffer, start: number, absolute: AbsoluteTarget): Buffer {
  const { authority, target } = absolute;
  const rest = source.subarray(start + index.targetBytes, start + index.totalBytes);
  const head = Buffer.concat([Buffer.from(target, 'latin1'), rest, Buffer.from(authority, 'latin1')]);
  for (let field = 0; field < index.fieldCount; field++) {
    const name = start + index.nameOffset(field);
    if (source.latin1Slice(name, name + index.nameBytes(field)).toLowerCase() !== 'host') continue;
    const moved = target.length - index.targetBytes;
    index.placeValue(field, head.length - authority.length - moved, authority.length);
  }
  index.moveFields(target.length - index.targetBytes);
  index.targetBytes = target.length;
  index.totalBytes = head.length;
  return head;
}
