/* Values that set status and headers of a response themselves: `Response` and those that stand in for it. */
import { LoopShardError } from '../errors.js';
import { checkContentType, checkFieldValue, SERVER_FIELDS } from './header-checks.js';
import type { ResponseState } from './response-state.js';

/** Key of the method. A global symbol, because adapters may come from another copy of this module. */
export const RENDER = Symbol.for('loopshard.render');

/** A value with its own status and headers. Shard only. */
export interface Rendered {
  /**
   * Sets status and headers.
   * @returns the body: text, bytes, a stream, or `undefined` for none
   * @throws LoopShardError RESPONSE_INVALID, HEADER_INVALID
   */
  [RENDER](response: ResponseState): unknown;
}

/**
 * Sets a header of a `Response`. Those that describe the message on the connection are left to the server.
 * @param name in lower case
 * @throws LoopShardError HEADER_INVALID
 */
export function setRendered(response: ResponseState, name: string, value: string): void {
  if (name === 'content-type') response.contentType = checkContentType(value);
  else if (name === 'set-cookie') response.add(name, checkFieldValue(name, value));
  else if (name === 'content-length') setLength(response, value);
  else if (!SERVER_FIELDS.has(name)) response.set(name, checkFieldValue(name, value));
}

function setLength(response: ResponseState, value: string): void {
  if (/^\d+$/.test(value)) response.contentLength = Number(value);
}

/** The error for a `Response` that cannot be sent again. */
export function usedBody(cause?: unknown): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    'The handler returned a `Response` whose body was already read. Return a new one, or its `clone()`.',
    { cause },
  );
}

/** The error for `Response.error()`. */
export function withoutStatus(): LoopShardError {
  return new LoopShardError('RESPONSE_INVALID', 'The handler returned `Response.error()`, which has no status.');
}
