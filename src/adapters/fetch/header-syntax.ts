/* Names and values of headers, as `Headers` accepts them (fetch standard, section 2.2.2). */
import { inspect } from 'node:util';
import { TOKEN } from '../../options/field-syntax.js';

/** Names that were seen, in lower case. Limited, because an app may take names from requests. */
const NAMES = new Map<string, string>();
const MAX_NAMES = 512;

/** Values that need no further check: printable ASCII without spaces at the ends. */
const PLAIN_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const OUTSIDE_LATIN_1 = /[\u0100-\uffff]/;
const SURROUNDING_SPACE = /^[\t\n\r ]+|[\t\n\r ]+$/g;
const NOT_IN_VALUE = /[\0\n\r]/;

/**
 * Returns a header name in lower case.
 * @throws TypeError
 */
export function normalizeName(given: unknown): string {
  const name = `${given}`;
  const known = NAMES.get(name);
  if (known !== undefined) return known;
  if (!TOKEN.test(name))
    throw new TypeError(`Invalid header name: expected a token of RFC 9110, got ${inspect(name)}.`);
  const lower = name.toLowerCase();
  if (NAMES.size < MAX_NAMES) NAMES.set(name, lower);
  return lower;
}

/**
 * Normalizes a header value: removes white space at its ends.
 * @throws TypeError
 */
export function normalizeValue(name: string, given: unknown): string {
  const value = `${given}`;
  if (PLAIN_VALUE.test(value)) return value;
  toLatin1(value, `value of the header \`${name}\``);
  const trimmed = value.replace(SURROUNDING_SPACE, '');
  if (NOT_IN_VALUE.test(trimmed)) {
    throw new TypeError(
      `Invalid value of the header \`${name}\`: it contains a line break or a NUL character, got ${inspect(value)}.`,
    );
  }
  return trimmed;
}

/**
 * Converts to text whose characters are bytes, a `ByteString` of Web IDL.
 * @throws TypeError
 */
export function toLatin1(given: unknown, what: string): string {
  const text = `${given}`;
  if (!OUTSIDE_LATIN_1.test(text)) return text;
  throw new TypeError(`Invalid ${what}: it contains a character outside Latin-1, got ${inspect(text)}.`);
}
