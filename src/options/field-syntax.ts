/* What header fields are made of. */

/** A field's name (RFC 9110 section 5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** What is not in a field value (RFC 9110 section 5.5): control characters but the tab, and what Latin-1 has not. */
export const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

const TAB = 0x09;
const SPACE = 0x20;

/**
 * A field value without the white space behind it, which is no part of it (RFC 9112 section 5.1): spaces and tabs only.
 * `String.prototype.trimEnd` takes byte A0 too, the end of many a letter in UTF-8. llhttp leaves it, and takes what is in front.
 */
export function trimEnd(value: string): string {
  let end = value.length;
  while (end > 0 && isWhiteSpace(value.charCodeAt(end - 1))) end--;
  return end === value.length ? value : value.slice(0, end);
}

/** A member of a list without the white space around it (RFC 9110 section 5.6.1). */
export function trim(member: string): string {
  let start = 0;
  while (start < member.length && isWhiteSpace(member.charCodeAt(start))) start++;
  return trimEnd(member.slice(start));
}

function isWhiteSpace(code: number): boolean {
  return code === SPACE || code === TAB;
}
