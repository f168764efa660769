/* What header fields of responses may be. */
import { inspect } from 'node:util';
import { LoopShardError } from '../errors.js';
import { NOT_IN_VALUE, TOKEN } from '../options/field-syntax.js';

/** Fields that describe the message as it is sent, which only the server knows. */
export const SERVER_FIELDS: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'connection',
  'keep-alive',
  'date',
  'upgrade',
]);
/** Templates of response heads must have room for it. */
const MAX_TYPE_LENGTH = 1_024;

/** @throws LoopShardError HEADER_INVALID */
export function checkFieldName(name: unknown): string {
  if (typeof name === 'string' && TOKEN.test(name)) return name;
  throw new LoopShardError('HEADER_INVALID', `Invalid header name: ${inspect(name)}.`);
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
    `Invalid value of the header \`${name}\`: it has a line break or another character that headers cannot carry.`,
  );
}

/** @throws LoopShardError HEADER_INVALID */
export function checkContentType(mime: unknown): string {
  const type = checkFieldValue('content-type', mime);
  if (type.length <= MAX_TYPE_LENGTH) return type;
  throw new LoopShardError(
    'HEADER_INVALID',
    `Invalid content type: it has ${type.length} characters, but at most ${MAX_TYPE_LENGTH} are possible.`,
  );
}
