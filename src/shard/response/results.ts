/* What a handler gave, as bytes; and what is wrong with it. */
import { types } from 'node:util';
import { LoopShardError } from '../../errors.js';
import type { CompiledWriter } from '../../json/compile.js';
import { stringify } from './body.js';
import type { SlotResponse } from './response.js';

/**
 * What was written with `res.writer()`.
 * @throws LoopShardError RESPONSE_INVALID, NESTING_INVALID
 */
export function finishWritten({ jsonWriter }: SlotResponse, value: unknown): Uint8Array {
  if (value === undefined || value === jsonWriter) return jsonWriter!.finish();
  throw new LoopShardError(
    'RESPONSE_INVALID',
    'The handler used res.writer() and returned a value too; return nothing.',
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

export function tagWithoutBody(): LoopShardError {
  return new LoopShardError(
    'HEADER_INVALID',
    'The entity tag of a stream cannot be computed, since its body comes after it; give res.etag() a value.',
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

export function fieldsTooLarge(lines: string, type: string | undefined, limit: number): LoopShardError {
  const bytes = lines.length + (type?.length ?? 0);
  return new LoopShardError(
    'HEADER_INVALID',
    `The header fields of the response have ${bytes} bytes, and at most ${limit} fit; set fewer, or make slotBytes larger.`,
  );
}
