/* Syntax of headers. */

/** The name of a header (RFC 9110 section 5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Characters that a header value cannot contain (RFC 9110 section 5.5): control characters except the tab, and those outside Latin-1. */
export const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const TAB = 0x09;
const SPACE = 0x20;

/**
 * Removes trailing white space (RFC 9112 section 5.1): spaces and tabs only. `String.prototype.trimEnd` would also remove byte A0, which
 * is the last byte of many letters in UTF-8. llhttp removes leading white space, but not trailing.
 */
export function trimEnd(value: string): string {
  let end = value.length;
  while (end > 0 && isWhiteSpace(value.charCodeAt(end - 1))) end--;
  return end === value.length ? value : value.slice(0, end);
}

/** Removes white space around a list member (RFC 9110 section 5.6.1). */
export function trim(member: string): string {
  let start = 0;
  while (start < member.length && isWhiteSpace(member.charCodeAt(start))) start++;
  return trimEnd(member.slice(start));
}

function isWhiteSpace(code: number): boolean {
  return code === SPACE || code === TAB;
}
