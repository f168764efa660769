import { inspect, types } from 'node:util';
import type { FixedBody } from '../contract/messages.js';
import { LoopShardError } from '../errors.js';
import { NOT_IN_VALUE } from '../options/field-syntax.js';

/** Options of `app.fixed()`. */
export interface FixedOptions {
  /** Content type. Default: `application/octet-stream`, `text/plain; charset=utf-8` or `application/json`, depending on the body. */
  type?: string;
}

/**
 * Renders the body of a fixed response.
 * @throws LoopShardError ROUTE_INVALID
 */
export function fixedBody(name: string, body: unknown, { type }: FixedOptions): FixedBody {
  if (type !== undefined && (typeof type !== 'string' || type === '' || NOT_IN_VALUE.test(type))) {
    throw new LoopShardError(
      'ROUTE_INVALID',
      `Invalid \`type\` of ${name}: expected a content type such as \`text/html\`.`,
    );
  }
  if (types.isUint8Array(body)) return { type: type ?? 'application/octet-stream', bytes: Uint8Array.from(body) };
  if (typeof body === 'string') return { type: type ?? 'text/plain; charset=utf-8', bytes: encode(body) };
  const json = JSON.stringify(body);
  if (json !== undefined) return { type: type ?? 'application/json', bytes: encode(json) };
  throw new LoopShardError(
    'ROUTE_INVALID',
    `Invalid body of ${name}: expected bytes, a string or a JSON value, got ${inspect(body)}.`,
  );
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
