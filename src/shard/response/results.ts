/* Converts results of handlers to bytes or text, and defines their errors. */
import { types } from 'node:util';
import type { ResponseState } from '../../app/response-state.js';
import type { CoreMemory } from '../../core/memory.js';
import { LoopShardError } from '../../errors.js';
import type { CompiledWriter } from '../../json/compile.js';
import { checkInside } from './bodies.js';
import type { Place } from './placement.js';
import { explainUnserializable } from './unserializable.js';

/** UTF-8 needs at most this many bytes for a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

const byteLengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'byteLength')!.get!;

/** Size of a body in bytes. Uses the original getter, because a subclass can override `byteLength` while `set` copies the real bytes. */
export function bytesOf(body: string | Uint8Array): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : byteLengthOf.call(body);
}

/** Whether a body has at most `room` bytes. Counts the bytes of a text only if its length does not decide. */
export function fits(body: string | Uint8Array, room: number): boolean {
  if (typeof body !== 'string') return byteLengthOf.call(body) <= room;
  return body.length * MAX_BYTES_PER_UNIT <= room || (body.length <= room && Buffer.byteLength(body) <= room);
}

/** From this size on, `fill` copies faster than `set`, which copies into shared memory word by word. */
const FILL_BYTES = 4_096;
/** Text that does not fit leaves less room than this. */
const MAX_BYTES_PER_CHARACTER = 4;
/** Returned instead of a size if the text did not fit. */
export const INCOMPLETE = -1;

/**
 * Copies a body to its place, text as UTF-8. A body of bytes must fit.
 * @returns its size in bytes, or INCOMPLETE for text that did not fit
 */
export function copyBody({ bytes, u8 }: CoreMemory, body: string | Uint8Array, { bodyStart, limit }: Place): number {
  if (typeof body !== 'string') {
    const length = byteLengthOf.call(body);
    if (length < FILL_BYTES) u8.set(body, bodyStart);
    else bytes.fill(body, bodyStart, bodyStart + length);
    return length;
  }
  const room = limit - bodyStart;
  const written = bytes.utf8Write(body, bodyStart, room);
  return room - written >= MAX_BYTES_PER_CHARACTER || written === Buffer.byteLength(body) ? written : INCOMPLETE;
}

/** @throws LoopShardError RESPONSE_INVALID; whatever `toJSON` throws */
export function stringify(value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw explainUnserializable(error, value);
  }
  if (json !== undefined) {
    if (json.includes('{}')) checkInside(value);
    return json;
  }
  throw new LoopShardError(
    'RESPONSE_INVALID',
    `The handler returned a ${typeof value}, which JSON cannot represent. Return bytes, a string or a JSON value.`,
  );
}

/**
 * Returns the body that was written with `res.writer()`.
 * @throws LoopShardError RESPONSE_INVALID, NESTING_INVALID
 */
export function finishWritten({ jsonWriter }: ResponseState, value: unknown): Uint8Array {
  if (value === undefined || value === jsonWriter) return jsonWriter!.finish();
  throw new LoopShardError(
    'RESPONSE_INVALID',
    'The handler wrote its response with `res.writer()` and also returned a value. Return nothing after using `res.writer()`.',
  );
}

/** Whether a value is sent as plain text: a string on a route without a schema. */
export function isText(value: unknown, writer: CompiledWriter | undefined): value is string {
  return typeof value === 'string' && writer === undefined;
}

/** @throws LoopShardError RESPONSE_INVALID, VALUE_MISMATCH; whatever `toJSON` throws */
export function toBytes(value: unknown, writer: CompiledWriter | undefined): Uint8Array {
  if (types.isUint8Array(value)) return value;
  if (writer !== undefined) return writer.toBytes(value);
  return Buffer.from(typeof value === 'string' ? value : stringify(value));
}

export function streamWithSchema(): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    'The handler returned a stream, but its route has a `response` schema. Remove the schema or return a value.',
  );
}

export function tagWithoutBody(): LoopShardError {
  return new LoopShardError(
    'HEADER_INVALID',
    'Cannot compute the entity tag of a stream: its body is not known yet. Pass a value to `res.etag()`.',
  );
}

/** Whether responses with this status have no content (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
export function isBodiless(status: number): boolean {
  return isUnframed(status) || status === 205;
}

/** Whether clients ignore the length in such a head (RFC 9112 section 6.3). For 205 they do not, so it needs `content-length: 0`. */
export function isUnframed(status: number): boolean {
  return status === 204 || status === 304;
}

export function bodiless(status: number): LoopShardError {
  return new LoopShardError('RESPONSE_INVALID', `Cannot write a body: a response with status ${status} has none.`);
}

export function fieldsTooLarge(bytes: number, limit: number): LoopShardError {
  return new LoopShardError(
    'HEADER_INVALID',
    `The response headers are too large: expected at most ${limit} bytes, got ${bytes}. Set fewer or shorter headers.`,
  );
}

export function tooLarge(bytes: number, limit: number): LoopShardError {
  return new LoopShardError(
    'RESPONSE_TOO_LARGE',
    `The response has ${bytes} bytes, but \`limits.maxResponseBytes\` is ${limit}. Send less, or raise the limit.`,
  );
}

export function wrongLength(bytes: number, said: number): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    `The response has ${bytes} bytes, but its \`content-length\` is ${said}. Leave the header out: the server sets it.`,
  );
}
