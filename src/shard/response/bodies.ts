/* Converts return values of handlers other than text, bytes and JSON. */
import { types } from 'node:util';
import { checkContentType, checkFieldValue, SERVER_FIELDS } from '../../app/header-checks.js';
import { AppRequest } from '../../app/request.js';
import { AppResponse } from '../../app/response.js';
import type { ResponseState } from '../../app/response-state.js';
import { LoopShardError } from '../../errors.js';

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
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value);
  const misused = misuse(value);
  if (misused !== undefined) throw notJson(misused, '');
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
  const unfit = typeof (value as { toJSON?: unknown }).toJSON === 'function' ? undefined : opaque(value);
  if (unfit !== undefined) throw notJson(unfit, '');
  return value;
}

function bodyOfResponse(given: FetchResponse, response: ResponseState): unknown {
  if (given.type === 'error' || given.bodyUsed) {
    throw new LoopShardError(
      'RESPONSE_INVALID',
      given.bodyUsed
        ? 'The handler returned a `Response` whose body was already read. Return a new one, or its `clone()`.'
        : 'The handler returned `Response.error()`, which has no status.',
    );
  }
  response.isPlain = true;
  response.statusCode = given.status;
  const coding = given.headers.get('content-encoding');
  // `fetch` decodes what it receives, so content-encoding and content-length no longer apply.
  const isDecoded = given.url !== '' && coding !== null;
  for (const [name, value] of given.headers) {
    if (name === 'content-type') response.contentType = checkContentType(value);
    else if (name === 'set-cookie') response.add(name, checkFieldValue(name, value));
    else if (name === 'content-length' || SERVER_FIELDS.has(name)) continue;
    else if (name !== 'content-encoding' || !isDecoded) response.set(name, checkFieldValue(name, value));
  }
  const length = given.headers.get('content-length');
  if (length !== null && /^\d+$/.test(length) && !isDecoded) response.contentLength = Number(length);
  return given.body ?? undefined;
}

function bodyOfBlob(blob: FetchBlob, response: ResponseState): unknown {
  response.isPlain = true;
  response.contentType ??= checkContentType(blob.type || BYTES);
  response.contentLength ??= blob.size;
  return blob.stream();
}

/** Names a value that JSON would turn into `{}`, with advice what to return instead. */
function misuse(value: object): [name: string, advice: string] | undefined {
  if (types.isMap(value)) return ['a `Map`', 'Return `Object.fromEntries(map)` or `[...map]`.'];
  if (types.isSet(value)) return ['a `Set`', 'Return `[...set]`.'];
  if (types.isPromise(value)) return ['a promise', 'Await it first.'];
  if (types.isNativeError(value)) return ['an `Error`', 'Throw it, or return an object with what the client may see.'];
  if (value instanceof AppRequest) return ['`req`', 'Return the body.'];
  if (value instanceof AppResponse)
    return ['`res`', 'Set status and headers on `res`, and return the body, or nothing.'];
  return undefined;
}

/** Built-in classes whose instances have a useful JSON representation. */
const WITH_PROPERTIES = new Set(['Object', 'Array', 'Arguments', 'Boolean', 'Number', 'String', 'Date']);

/** Names an instance of a built-in class that has no JSON representation. */
function opaque(value: object): [name: string, advice: string] | undefined {
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1);
  if (WITH_PROPERTIES.has(tag) || Object.keys(value).length > 0) return undefined;
  return [`an instance of \`${tag}\``, 'Return a JSON value.'];
}

function notJson([name, advice]: [string, string], path: string): LoopShardError {
  const place = path === '' ? '' : ` at ${path}`;
  return new LoopShardError(
    'RESPONSE_INVALID',
    `The handler returned ${name}${place}, which JSON cannot represent. ${advice}`,
  );
}

/**
 * Searches a value for objects that JSON has turned into `{}`.
 * @throws LoopShardError RESPONSE_INVALID
 */
export function checkInside(value: unknown, path = ''): void {
  if (typeof value !== 'object' || value === null || typeof (value as { toJSON?: unknown }).toJSON === 'function')
    return;
  const misused = misuse(value) ?? opaque(value);
  if (misused !== undefined) throw notJson(misused, path);
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === 'object') checkInside(inner, `${path}/${key}`);
  }
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
