/* Checks of response headers. */
import { inspect } from 'node:util';
import { LoopShardError } from '../errors.js';
import { NOT_IN_VALUE, TOKEN } from '../options/field-syntax.js';

/** Headers that only the server may set: they describe the message on the connection. */
export const SERVER_FIELDS: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'connection',
  'keep-alive',
  'date',
  'upgrade',
]);
/** Limited so that it fits into the templates of response heads. */
const MAX_TYPE_LENGTH = 1_024;

/** @throws LoopShardError HEADER_INVALID */
export function checkFieldName(name: unknown): string {
  if (typeof name === 'string' && TOKEN.test(name)) return name;
  throw new LoopShardError(
    'HEADER_INVALID',
    `Invalid header name: expected a token of RFC 9110, got ${inspect(name)}.`,
  );
}

/**
 * @param name in lower case
 * @throws LoopShardError HEADER_INVALID
 */
export function checkFieldValue(name: string, value: unknown): string {
  if (typeof value !== 'string') {
    throw new LoopShardError(
      'HEADER_INVALID',
      `Invalid value of the header \`${name}\`: expected a string, got ${inspect(value)}.`,
    );
  }
  if (!NOT_IN_VALUE.test(value)) return value;
  throw new LoopShardError(
    'HEADER_INVALID',
    `Invalid value of the header \`${name}\`: it contains a line break or another character that is not allowed in headers.`,
  );
}

/** @throws LoopShardError HEADER_INVALID */
export function checkContentType(mime: unknown): string {
  const type = checkFieldValue('content-type', mime);
  if (type.length <= MAX_TYPE_LENGTH) return type;
  throw new LoopShardError(
    'HEADER_INVALID',
    `Invalid content type: expected at most ${MAX_TYPE_LENGTH} characters, got ${type.length}.`,
  );
}
