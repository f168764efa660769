/* Types of handlers, requests and responses: the reference documentation of the API. */

import type { SetCookie } from 'cookie';
import type { JsonWriter } from '../json/direct.js';
import type { Infer } from '../json/schema.js';
import type { CompressOptions } from '../options/compression.js';
import type { Method } from '../options/methods.js';
import type { RequestBodyOptions } from '../options/request-body.js';
import type { RouteScheduling } from '../options/scheduling.js';
import type { Params, ParamsOf } from './pattern-types.js';

export type { Params } from './pattern-types.js';

/** Decoded query parameters. A repeated key has an array. The object has no prototype. */
export type Query = Readonly<Record<string, string | string[] | undefined>>;
/** Headers by lower-case name. Repeated headers are joined by ", ". The object has no prototype. */
export type Headers = Readonly<Record<string, string | undefined>>;

/** Types of the parts of a request, by the schemas of its route. */
export interface RequestTypes {
  /** Type of `req.params`. */
  params: unknown;
  /** Type of `req.query`. */
  query: unknown;
  /** Type of `req.headers`. */
  headers: unknown;
  /** Type of `req.body`. */
  body: unknown;
}

/** Types of a request whose route has no schemas. */
export interface AnyRequest extends RequestTypes {
  /** Parameters of the pattern, by name. */
  params: Params;
  /** Parameters of the query, by name. */
  query: Query;
  /** Headers by lower-case name. */
  headers: Headers;
  /** Unknown: only a `body` schema gives it a type. */
  body: unknown;
}

/**
 * A request, on a shard. Each part is decoded when it is first read, and only once. The bytes of the request are in memory that is
 * reused: once the handler has settled, every property or method that would read them throws a `LoopShardError` REQUEST_FINISHED.
 *
 * Use `ShardRequest<RequestTypes>` as the parameter type of a function that accepts requests of any route: schemas give `params`,
 * `query`, `headers` and `body` different types on each route.
 *
 * Middleware may add its own properties; declare them with `declare module 'loopshard' { interface ShardRequest { … } }`.
 */
export interface ShardRequest<T extends RequestTypes = AnyRequest> {
  /** Identifies the request in logs. Unique for 2³² requests of a server. With the option `requestId`, the ID that the client sent. */
  readonly id: string;
  /** The method, in upper case. */
  readonly method: Method;
  /** The request target as it was sent, with the query (RFC 9112 section 3.2). */
  readonly target: string;
  /** The target up to the query, not decoded. */
  readonly path: string;
  /** Parameters of the pattern by name, decoded; or the output of the `params` schema. The object has no prototype. */
  readonly params: T['params'];
  /** Parameters of the query by name, decoded; or the output of the `query` schema. The object has no prototype. */
  readonly query: T['query'];
  /** Headers by lower-case name; or the output of the `headers` schema. The object has no prototype. */
  readonly headers: T['headers'];
  /**
   * The body that the route's `body` schema has validated.
   * @throws LoopShardError BODY_NOT_VALIDATED on a route without such a schema
   */
  readonly body: T['body'];
  /** Cookies by name, decoded. The object has no prototype. If a cookie is repeated, its first value is used. */
  readonly cookies: Readonly<Record<string, string | undefined>>;
  /** Names and values of all header fields, one after the other, as they were sent. */
  readonly rawHeaders: readonly string[];
  /** Version of the protocol, as the client sent it. */
  readonly httpVersion: '1.0' | '1.1';
  /** Address of the client, behind all trusted proxies (`trustProxy`). `undefined` for a Unix socket. */
  readonly ip: string | undefined;
  /** Addresses from the client's to that of the nearest trusted proxy, the client's first. */
  readonly ips: readonly string[];
  /** Address of the peer of the connection, which may be a proxy. `undefined` for a Unix socket. */
  readonly remoteAddress: string | undefined;
  /** Port of the peer of the connection. `undefined` for a Unix socket. */
  readonly remotePort: number | undefined;
  /** `https` if the connection, or the client's connection to a trusted proxy (X-Forwarded-Proto), uses TLS. */
  readonly protocol: 'http' | 'https';
  /** Host and port that the client requested: Host, or X-Forwarded-Host from a trusted proxy. `undefined` for HTTP/1.0 without Host. */
  readonly host: string | undefined;
  /**
   * Aborted when the client disconnects, when the handler takes longer than `timeouts.handlerTimeoutMs`, or when the server begins to
   * drain while a stream is being sent; in this last case the reason is a `LoopShardError` SERVER_CLOSING. Creating the signal costs 4 µs.
   */
  readonly signal: AbortSignal;
  /**
   * Calls `listener` when `signal` is aborted, or immediately if it already is. Avoids the cost of creating the signal.
   * @param listener called once, in the async context of this call
   */
  onAbort(listener: () => void): void;
  /**
   * Returns the value of a header, or `undefined`. Repeated headers are joined by ", " (`cookie` by "; ").
   * @param name in any case
   */
  header(name: string): string | undefined;
  /**
   * Returns the body as a view that is valid until the handler settles.
   * @throws LoopShardError BODY_STREAMED on a route with `body: 'stream'`; so do `text()` and `json()`
   */
  bytes(): Uint8Array;
  /** Returns the body, decoded as UTF-8. */
  text(): string;
  /**
   * Parses the body as JSON, whatever its content type. Rejects the properties `__proto__` and `constructor.prototype`.
   * @throws LoopShardError BODY_INVALID; if the handler does not catch it, the response is 400
   */
  json<J = unknown>(): J;
  /**
   * Returns the body in chunks of at most 64 KiB, which the handler may keep; on a route with `body: 'stream'`, as they arrive.
   * Chunks that are unread when the handler settles are lost. Can be called once per request.
   *
   * Reading fails with a `LoopShardError` BODY_INCOMPLETE if the client disconnects, stalls or sends more than the route allows, and
   * with REQUEST_FINISHED once the request is finished.
   * @throws LoopShardError BODY_STREAMED on a second call
   */
  stream(): AsyncIterableIterator<Uint8Array>;
}

/** Attributes of a cookie: `domain`, `expires`, `httpOnly`, `maxAge` (seconds), `partitioned`, `path`, `priority`, `sameSite`, `secure`. */
export type CookieOptions = Omit<SetCookie, 'name' | 'value'>;

/** Status and headers of the response, set before the handler settles. The handler returns the body. */
export interface ShardResponse {
  /** The status that was set, or 0 if it depends on what the handler returns. */
  readonly statusCode: number;
  /**
   * Sets the status.
   * @param code 200 to 599. Default 200, or 204 for a handler that returns nothing
   * @throws LoopShardError STATUS_INVALID
   */
  status(code: number): this;
  /**
   * Sets a header and replaces earlier values, except for `set-cookie`, which is added.
   * @param value Latin-1 without control characters, a number, or several values, each of which is sent as a separate header
   * @throws LoopShardError HEADER_INVALID, also for `content-length`, `transfer-encoding`, `connection` and `date`, which
   * the server sets. `content-length` is allowed for streams and checked against the bytes sent
   */
  header(name: string, value: string | number | readonly string[]): this;
  /** Adds a header and keeps earlier values. Values and errors as for `header`. */
  append(name: string, value: string | number | readonly string[]): this;
  /** Returns the value of a header: an array if it has several, `undefined` if it was not set. */
  getHeader(name: string): string | readonly string[] | undefined;
  /** Removes a header. */
  removeHeader(name: string): this;
  /** Sets `content-type`. Adds `charset=utf-8` to a text type such as `text/html` that has no charset. */
  type(mime: string): this;
  /**
   * Sets `location` and a status. The handler then returns nothing.
   * @param url characters that a URL cannot contain are percent-encoded
   * @param status 300 to 399. Default 302
   */
  redirect(url: string, status?: number): this;
  /**
   * Adds a cookie (RFC 6265).
   * @param value is percent-encoded
   * @throws LoopShardError HEADER_INVALID, OPTION_UNKNOWN
   */
  cookie(name: string, value: string, options?: CookieOptions): this;
  /** Deletes a cookie on the client. `path` and `domain` must be the same as when it was set. */
  clearCookie(name: string, options?: CookieOptions): this;
  /**
   * Sets an entity tag (RFC 9110 section 8.8.3). A GET or HEAD whose If-None-Match contains it gets 304 without a body, whatever the
   * handler returns.
   * @param value the tag, with or without quotes. Default: computed from the body; not possible for streams
   * @param options `weak`: equal tags mean equivalent content, not equal bytes. Default false
   * @throws LoopShardError HEADER_INVALID
   */
  etag(value?: string, options?: { weak?: boolean }): this;
  /** Whether the client already has what `etag(value)` names: 304 is sent, and the handler need not return a body. */
  readonly fresh: boolean;
  /**
   * Returns a writer that writes a JSON body directly into the memory that is sent: for rows from a cursor or a vector from a model,
   * without building objects first. Set status and headers before the first call; the handler then returns nothing. Every call returns
   * the same writer.
   */
  writer(): JsonWriter;
  /** Closes the connection without a response, or in the middle of one. The handler's return value is ignored. */
  destroy(): void;
}

/** Values that a handler may return, or promise, on any route. */
export type Body =
  | Uint8Array
  | ArrayBufferView
  | ArrayBuffer
  | string
  | Blob
  | URLSearchParams
  | Response
  | AsyncIterable<unknown>
  | Iterator<unknown>
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler without a return statement returns undefined
  | void
  | undefined;

/**
 * Handles a request. It returns, or promises, one of:
 * - `string`: sent as `text/plain; charset=utf-8`; bytes (`Uint8Array`, other views, `ArrayBuffer`): `application/octet-stream`;
 *   `Blob`: its own type; `URLSearchParams`: `application/x-www-form-urlencoded`. A content type that was set takes precedence.
 * - `undefined`: no body (status 204 unless set), or the body written with `res.writer()`.
 * - `Response`: its status, headers and body, plus the headers set on `res`.
 * - an async iterable of bytes or strings, a `ReadableStream`, a Node.js stream, or the iterator of a generator: streamed
 *   (docs/streaming.md).
 * - any other JSON value: `application/json`. A `Map`, `Set`, `Error`, promise, `req` or `res` in it fails with RESPONSE_INVALID.
 *
 * On a route with a response schema, the schema serializes everything except bytes, `Response` and `undefined`; nothing is streamed.
 */
export type Handler<Req = ShardRequest, T = unknown> = (
  req: Req,
  res: ShardResponse,
) => Result<T> | PromiseLike<Result<T>>;

type Result<T> = T | Body;

/**
 * Runs around handlers: code before `next()` runs before them, code after `await next()` runs when they have settled.
 * @param next runs the inner middleware and the handler, once. Resolves with what the handler returned, before it is serialized
 * @returns the response in place of the one that `next` resolved with, or `undefined` to keep that one. Middleware that does not call
 * `next` returns the response, or sets a status or writes a body with `res.writer()` and returns `undefined`
 */
export type Middleware = (req: ShardRequest, res: ShardResponse, next: () => Promise<unknown>) => unknown;

/** Called with what a handler threw. Its return value is sent like that of a handler. */
export type ErrorHandler = (error: unknown, req: ShardRequest, res: ShardResponse) => unknown;

/** Enters the async context of a request and calls `run` in it before it returns. */
export type ContextEntry = (req: ShardRequest, run: () => void) => unknown;

/** The shard that starts or ends. */
export interface ShardInfo {
  /** Its number. A shard that replaces another one beside it has another number. */
  readonly shard: number;
  /** Name of its group. */
  readonly group: string;
  /** Which of the shards of its group it is, from 0: it takes over the index of the shard that it replaces. */
  readonly index: number;
}

/** Called when a shard starts or ends. A promise that it returns is awaited. */
export type LifecycleListener = (info: ShardInfo) => unknown;

/**
 * Schemas of the parts of a request: Standard Schemas (zod, valibot, arktype and others), or JSON Schemas (TypeBox). With a JSON
 * Schema, the text values of `params`, `query` and `headers` are converted. A request that does not match gets 400, and the handler is
 * not called.
 */
export interface RequestSchemas {
  /** Schema of the parameters of the pattern. */
  params?: unknown;
  /** Schema of the parameters of the query. */
  query?: unknown;
  /** Schema of the headers, by lower-case name. */
  headers?: unknown;
  /** Schema of a JSON body. Other content types get 415. */
  body?: unknown;
}

/** Options of a route. */
export interface RouteOptions
  extends RouteScheduling,
    RequestBodyOptions,
    Pick<RequestSchemas, 'params' | 'query' | 'headers'> {
  /** Schema of the JSON body; or `'stream'`: the handler starts when the head has arrived and reads the body with `req.stream()`. */
  body?: unknown;
  /**
   * Schema of what the handler returns: JSON Schema, TypeBox, or a Standard Schema that has a JSON Schema; or schemas by status:
   * `{ 200: A, 404: B, '4xx': C, default: D }`. It is compiled to a writer that is faster than JSON.stringify, omits properties that
   * the schema does not name, and fails on values that do not match.
   */
  response?: unknown;
  /** Whether and how to compress responses. Overrides the server's option. */
  compress?: boolean | CompressOptions;
}

/** Types of the requests of a route with the pattern `P` and the options `O`. */
export interface RequestOf<P extends string, O = object> extends RequestTypes {
  /** Output of the `params` schema; without one, the parameters of the pattern. */
  params: O extends { params: infer S } ? Infer<S> : ParamsOf<P>;
  /** Output of the `query` schema. */
  query: O extends { query: infer S } ? Infer<S> : Query;
  /** Output of the `headers` schema. */
  headers: O extends { headers: infer S } ? Infer<S> : Headers;
  /** Output of the `body` schema. */
  body: O extends { body: infer S } ? (S extends string ? never : Infer<S>) : unknown;
}

/** Return type of the handler of a route with the options `O`, apart from bytes and `undefined`. */
export type ResponseOf<O> = [O] extends [{ response: infer S }]
  ? [keyof S] extends [never]
    ? unknown
    : S extends ByStatus
      ? InferByStatus<S>
      : Infer<S>
  : unknown;

type StatusKey = `${1 | 2 | 3 | 4 | 5}xx` | 'default' | number;
type ByStatus = { [K in StatusKey]?: unknown } & {
  type?: never;
  properties?: never;
  '~standard'?: never;
  static?: never;
  $ref?: never;
};
type InferByStatus<S> = { [K in keyof S]: Infer<S[K]> }[keyof S];
