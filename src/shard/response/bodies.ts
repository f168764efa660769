/* Converts return values of handlers other than text, bytes and JSON. */
import { types } from 'node:util';
import { checkContentType } from '../../app/header-checks.js';
import { RENDER, type Rendered, setRendered, usedBody, withoutStatus } from '../../app/rendered.js';
import { AppRequest } from '../../app/request.js';
import { AppResponse } from '../../app/response.js';
import type { ResponseState } from '../../app/response-state.js';
import { LoopShardError } from '../../errors.js';
import { place } from '../../json/mismatch.js';
import { findOpaque, type OpaqueKind, type OpaquePart, opaqueKind } from '../../json/opaque.js';

const BYTES = 'application/octet-stream';

/** The members used here. The classes are not named, because Node.js loads them on first use. */
interface FetchResponse {
  readonly status: number;
  readonly type: string;
  readonly url: string;
  readonly bodyUsed: boolean;
  readonly headers: Iterable<[string, string]> & { get(name: string): string | null };
  readonly body: AsyncIterable<unknown> | null;
}
/** A `Response` that can describe itself without creating a stream: those of srvx, which h3 uses. */
interface PlainResponse {
  _toNodeResponse(): {
    readonly status: number;
    /** Names and values, one after the other. */
    readonly headers: readonly string[];
    readonly body: unknown;
  };
}
interface FetchBlob {
  readonly size: number;
  readonly type: string;
  stream(): AsyncIterable<unknown>;
}

/**
 * Converts what a handler returned to text, bytes, a stream or a JSON value. Status and headers of a `Response` and the like are set on
 * `response`.
 * @throws LoopShardError RESPONSE_INVALID
 */
export function bodyOf(value: unknown, response: ResponseState): unknown {
  if (typeof value !== 'object' || value === null || types.isUint8Array(value) || Array.isArray(value)) return value;
  if (Symbol.asyncIterator in value) return value;
  if (Symbol.iterator in value && typeof (value as Partial<Iterator<unknown>>).next === 'function') {
    return new IteratorStream(value as unknown as Iterator<unknown>);
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return value;
  return bodyOfInstance(value, response);
}

function bodyOfInstance(value: object, response: ResponseState): unknown {
  if (RENDER in value) return (value as Rendered)[RENDER](response);
  if ('_toNodeResponse' in value) return bodyOfPlainResponse(value as PlainResponse, response);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value);
  const tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  if (tag === 'Response' && 'bodyUsed' in value) return bodyOfResponse(value as unknown as FetchResponse, response);
  if ((tag === 'Blob' || tag === 'File') && 'arrayBuffer' in value) {
    return bodyOfBlob(value as unknown as FetchBlob, response);
  }
  if (tag === 'URLSearchParams') {
    response.isPlain = true;
    response.contentType ??= 'application/x-www-form-urlencoded;charset=UTF-8';
    return String(value);
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value;
  const kind = kindOf(value);
  if (kind !== undefined) throw notJson({ ...kind, path: [] });
  return value;
}

function bodyOfResponse(given: FetchResponse, response: ResponseState): unknown {
  if (given.bodyUsed) throw usedBody();
  if (given.type === 'error') throw withoutStatus();
  response.isPlain = true;
  response.statusCode = given.status;
  const coding = given.headers.get('content-encoding');
  // `fetch` decodes what it receives, so content-encoding and content-length no longer apply.
  const isDecoded = given.url !== '' && coding !== null;
  for (const [name, value] of given.headers) {
    if (isDecoded && (name === 'content-encoding' || name === 'content-length')) continue;
    setRendered(response, name, value);
  }
  return given.body ?? undefined;
}

function bodyOfPlainResponse(given: PlainResponse, response: ResponseState): unknown {
  const { status, headers, body } = given._toNodeResponse();
  response.isPlain = true;
  response.statusCode = status;
  for (let i = 0; i < headers.length; i += 2) setRendered(response, headers[i].toLowerCase(), headers[i + 1]);
  return body ?? undefined;
}

function bodyOfBlob(blob: FetchBlob, response: ResponseState): unknown {
  response.isPlain = true;
  response.contentType ??= checkContentType(blob.type || BYTES);
  response.contentLength ??= blob.size;
  return blob.stream();
}

const REQUEST = { name: '`req`', advice: 'Return the body.' };
const RESPONSE = { name: '`res`', advice: 'Set status and headers on `res`, and return the body, or nothing.' };

function kindOf(value: object): OpaqueKind | undefined {
  if (value instanceof AppRequest) return REQUEST;
  if (value instanceof AppResponse) return RESPONSE;
  return opaqueKind(value);
}

function notJson({ path, name, advice }: OpaquePart): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    `The handler returned ${name}${place(path)}, which JSON cannot represent. ${advice}`,
  );
}

/**
 * Checks a value in whose JSON there is an empty object.
 * @throws LoopShardError RESPONSE_INVALID if it is one of those that JSON.stringify writes as `{}`
 */
export function checkInside(value: unknown): void {
  const part = findOpaque(value, kindOf);
  if (part !== undefined) throw notJson(part);
}

/** Makes an async iterator of an iterator. */
class IteratorStream implements AsyncIterableIterator<unknown> {
  readonly #iterator: Iterator<unknown>;

  constructor(iterator: Iterator<unknown>) {
    this.#iterator = iterator;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<unknown>> {
    const { done = false, value } = this.#iterator.next();
    return { done, value: await value } as IteratorResult<unknown>;
  }

  async return(): Promise<IteratorResult<unknown>> {
    this.#iterator.return?.();
    return { done: true, value: undefined };
  }
}
