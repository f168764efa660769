/* What a handler gave, as bytes or text; and what is wrong with it. */
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

/** Bytes of a body. Not the property of an array, which a subclass can change: it is what `set` copies. */
export function bytesOf(body: string | Uint8Array): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : byteLengthOf.call(body);
}

/** Whether a body has at most `room` bytes, without counting those of a text if its length says so. */
export function fits(body: string | Uint8Array, room: number): boolean {
  if (typeof body !== 'string') return byteLengthOf.call(body) <= room;
  return body.length * MAX_BYTES_PER_UNIT <= room || (body.length <= room && Buffer.byteLength(body) <= room);
}

/** From so many bytes on a copy by `fill` is faster than one by `set`, which copies into shared memory word by word. */
const FILL_BYTES = 4_096;
/** Text that does not fit leaves less room than its next character needs. */
const MAX_BYTES_PER_CHARACTER = 4;
/** In the place of the bytes of a text that did not fit. */
export const INCOMPLETE = -1;

/**
 * Copies a body to its place, text as UTF-8. Bytes have to fit.
 * @returns how many bytes it has; INCOMPLETE for text that did not fit
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
 * What was written with `res.writer()`.
 * @throws LoopShardError RESPONSE_INVALID, NESTING_INVALID
 */
export function finishWritten({ jsonWriter }: ResponseState, value: unknown): Uint8Array {
  if (value === undefined || value === jsonWriter) return jsonWriter!.finish();
  throw new LoopShardError(
    'RESPONSE_INVALID',
    'The handler wrote its response with `res.writer()` and also returned a value. Return nothing after using `res.writer()`.',
  );
}

/** Sent as it is, in UTF-8: not by the schema of the route, which has none. */
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
    'Cannot compute the entity tag of a stream: its body comes later. Pass a value to `res.etag()`.',
  );
}

/** No content is sent with this status (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
export function isBodiless(status: number): boolean {
  return isUnframed(status) || status === 205;
}

/** A client reads no body behind such a head, whatever it says (RFC 9112 section 6.3). After 205 it does: that says its length is 0. */
export function isUnframed(status: number): boolean {
  return status === 204 || status === 304;
}

export function bodiless(status: number): LoopShardError {
  return new LoopShardError('RESPONSE_INVALID', `A response with status ${status} has no body to write.`);
}

export function fieldsTooLarge(bytes: number, limit: number): LoopShardError {
  return new LoopShardError(
    'HEADER_INVALID',
    `The response headers have ${bytes} bytes, but at most ${limit} are possible. Set fewer or shorter headers.`,
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
    `The response has ${bytes} bytes, but its \`content-length\` says ${said}. Leave the header out: the server counts.`,
  );
}
