/* What handlers are given and what they give. The types are the manual. */

import type { SetCookie } from 'cookie';
import type { JsonWriter } from '../json/direct.js';
import type { Infer } from '../json/schema.js';
import type { CompressOptions } from '../options/compression.js';
import type { Method } from '../options/methods.js';
import type { RequestBodyOptions } from '../options/request-body.js';
import type { RouteScheduling } from '../options/scheduling.js';
import type { Params, ParamsOf } from './pattern-types.js';

export type { Params } from './pattern-types.js';

/** Query parameters: decoded; a key that comes more than once has an array. The object has no prototype. */
export type Query = Readonly<Record<string, string | string[] | undefined>>;
/** Header fields by their names in lower case; several fields of one name are joined by ", ". The object has no prototype. */
export type Headers = Readonly<Record<string, string | undefined>>;

/** What a route says of its requests, as types. */
export interface RequestTypes {
  params: unknown;
  query: unknown;
  headers: unknown;
  body: unknown;
}

/** A route that says nothing of its requests. */
export interface AnyRequest extends RequestTypes {
  params: Params;
  query: Query;
  headers: Headers;
  body: unknown;
}

/**
 * A request, on a shard. Nothing of it is decoded before it is asked for, and nothing twice. Its bytes lie in memory that is
 * reused: once the handler has settled, everything that would read them throws a `LoopShardError` REQUEST_FINISHED.
 *
 * A function that is given requests of any route takes `ShardRequest<RequestTypes>`: what schemas have made of `params`, `query`, `headers`
 * and `body` differs by route.
 *
 * Middleware may add properties of its own; declare them with `declare module 'loopshard' { interface ShardRequest { … } }`.
 */
export interface ShardRequest<T extends RequestTypes = AnyRequest> {
  /** Names the request in logs; unique in the server's life for 2³² requests. With the option `requestId`, the client's name. */
  readonly id: string;
  readonly method: Method;
  /** The request target as it was sent, with the query (RFC 9112 section 3.2). */
  readonly target: string;
  /** The target up to the query, not decoded. */
  readonly path: string;
  readonly params: T['params'];
  readonly query: T['query'];
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
  readonly httpVersion: '1.0' | '1.1';
  /** Address of the client: the first one in front of all trusted proxies (`trustProxy`). `undefined` for a Unix socket. */
  readonly ip: string | undefined;
  /** Addresses from the client's to that of the nearest trusted proxy, the client's first. */
  readonly ips: readonly string[];
  /** Address at the other end of the connection, whoever that is. `undefined` for a Unix socket. */
  readonly remoteAddress: string | undefined;
  /** Port at the other end of the connection. `undefined` for a Unix socket. */
  readonly remotePort: number | undefined;
  /** `https` if the connection, or the client's connection to a trusted proxy (X-Forwarded-Proto), is secured by TLS. */
  readonly protocol: 'http' | 'https';
  /** Host and port that the client asked for: the field Host, or X-Forwarded-Host of a trusted proxy. `undefined` in HTTP/1.0 without it. */
  readonly host: string | undefined;
  /**
   * Aborted when the client is gone, the handler has taken longer than `timeouts.handlerTimeoutMs`, or, while a stream is sent, the server
   * begins to drain: then its reason is a `LoopShardError` SERVER_CLOSING. Making it costs 4 µs.
   */
  readonly signal: AbortSignal;
  /**
   * Calls `listener` when `signal` would be aborted; at once if it would be already. Without the cost of a signal.
   * @param listener called once, in the async context of this call
   */
  onAbort(listener: () => void): void;
  /**
   * The value of a header field, or `undefined`. Several fields of the name are joined by ", " (`cookie` by "; ").
   * @param name in any case
   */
  header(name: string): string | undefined;
  /**
   * The body: a view, valid until the handler settles.
   * @throws LoopShardError BODY_STREAMED on a route with `body: 'stream'`; so do `text()` and `json()`
   */
  bytes(): Uint8Array;
  /** The body, as UTF-8. */
  text(): string;
  /**
   * The body, parsed as JSON, whatever its content type. A property `__proto__` or `constructor.prototype` is not valid in it.
   * @throws LoopShardError BODY_INVALID; a handler that lets it pass answers 400
   */
  json<J = unknown>(): J;
  /**
   * The body in chunks of at most 64 KiB, which are the handler's to keep; on a route with `body: 'stream'` as it arrives.
   * What was not read when the handler settles is lost. Once a request.
   *
   * Reading fails with a `LoopShardError` BODY_INCOMPLETE when the client leaves or stalls in the middle or sends more than
   * the route takes, and with REQUEST_FINISHED once the request was answered.
   * @throws LoopShardError BODY_STREAMED the second time
   */
  stream(): AsyncIterableIterator<Uint8Array>;
}

/** Attributes of a cookie: `domain`, `expires`, `httpOnly`, `maxAge` (in seconds), `partitioned`, `path`, `priority`, `sameSite`, `secure`. */
export type CookieOptions = Omit<SetCookie, 'name' | 'value'>;

/** The response's status and header fields, set before the handler settles. The handler returns the body. */
export interface ShardResponse {
  /** The status that was set, or 0 while that is left to what the handler returns. */
  readonly statusCode: number;
  /**
   * @param code 200 to 599; 200 by default, 204 for a handler that returns nothing
   * @throws LoopShardError STATUS_INVALID
   */
  status(code: number): this;
  /**
   * Sets a header field, in the place of an earlier one of that name; `set-cookie` is added instead.
   * @param value Latin-1 without control characters; a number; or several values, each of which is sent as a field of its own
   * @throws LoopShardError HEADER_INVALID, also for `content-length`, `transfer-encoding`, `connection` and `date`, which
   * are the server's. A stream may have a `content-length`, which is checked
   */
  header(name: string, value: string | number | readonly string[]): this;
  /** Adds a header field beside those of the same name. Values and errors as for `header`. */
  append(name: string, value: string | number | readonly string[]): this;
  /** What a header field was set to: several values if it was set to several, `undefined` if it was not set. */
  getHeader(name: string): string | readonly string[] | undefined;
  /** Takes a header field back. */
  removeHeader(name: string): this;
  /** Sets `content-type`. Text gets `charset=utf-8` if a type such as `text/html` names no charset. */
  type(mime: string): this;
  /**
   * Sets `location` and a status. The handler then returns nothing.
   * @param url what a URL cannot carry is percent-encoded
   * @param status 300 to 399. Default 302
   */
  redirect(url: string, status?: number): this;
  /**
   * Adds a cookie (RFC 6265).
   * @param value percent-encoded
   * @throws LoopShardError HEADER_INVALID, OPTION_UNKNOWN
   */
  cookie(name: string, value: string, options?: CookieOptions): this;
  /** Has the client forget a cookie. `options` as it was set: `path` and `domain` must be the same. */
  clearCookie(name: string, options?: CookieOptions): this;
  /**
   * Sets an entity tag (RFC 9110 section 8.8.3). A GET or HEAD whose If-None-Match has it gets 304 and no body, whatever the
   * handler returns.
   * @param value of the tag, with or without quotes; by default computed from the body, which a stream has not
   * @param options `weak`: says that the body means the same, not that its bytes are. Default false
   * @throws LoopShardError HEADER_INVALID
   */
  etag(value?: string, options?: { weak?: boolean }): this;
  /** The client has what `etag(value)` names: 304 will be sent, and the handler need not return anything. */
  readonly fresh: boolean;
  /**
   * A writer for a JSON body, straight into the memory that is sent: for rows from a cursor or a vector from a model, which
   * need not become objects first. Set status and fields before; the handler then returns nothing. The same writer each
   * time.
   */
  writer(): JsonWriter;
  /** Closes the connection without a response, or in the middle of one. What the handler returns is dropped. */
  destroy(): void;
}

/** What a handler may return, or promise, on any route. */
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
 * What a handler returns, or promises:
 * - `string`: `text/plain; charset=utf-8`; bytes (`Uint8Array`, other views, `ArrayBuffer`): sent as they are,
 *   `application/octet-stream`; `Blob`: by its own type; `URLSearchParams`: `application/x-www-form-urlencoded`. Each unless set.
 * - `undefined`: no body (204 unless set), or what `res.writer()` has written.
 * - `Response`: its status, fields and body, beside the fields that were set on `res`.
 * - an async iterable of bytes or strings, a `ReadableStream` or a Node.js stream, or the iterator of a generator: streamed
 *   (docs/streaming.md).
 * - any other JSON value: `application/json`. A `Map`, `Set`, `Error`, promise, `req` or `res` in it fails with RESPONSE_INVALID.
 *
 * On a route with a response schema, everything but bytes, `Response` and `undefined` is written by the schema; it streams nothing.
 */
export type Handler<Req = ShardRequest, T = unknown> = (
  req: Req,
  res: ShardResponse,
) => Result<T> | PromiseLike<Result<T>>;

type Result<T> = T | Body;

/**
 * Runs around handlers: what comes before `next` before them, what comes behind it when they have settled.
 * @param next runs what is inside, once. It resolves with what the handler has returned, before that is serialized
 * @returns what is to be sent in place of what `next` resolved with; `undefined` for just that. Without a call of `next`, it is
 * the response, and if it is `undefined`, `res` must say what is: a status, or a body by `res.writer()`
 */
export type Middleware = (req: ShardRequest, res: ShardResponse, next: () => Promise<unknown>) => unknown;

/** Called with what a handler threw; its return value is the response, as a handler's is. */
export type ErrorHandler = (error: unknown, req: ShardRequest, res: ShardResponse) => unknown;

/** Enters the async context of a request and calls `run` in it, before it returns. */
export type ContextEntry = (req: ShardRequest, run: () => void) => unknown;

/** Which shard it is that starts or ends. */
export interface ShardInfo {
  /** Its number, from 0 on. */
  readonly shard: number;
  /** Name of its group. */
  readonly group: string;
}

/** Called when a shard starts or ends; what it promises is awaited. */
export type LifecycleListener = (info: ShardInfo) => unknown;

/**
 * Schemas of what a route takes: Standard Schemas (zod, valibot, arktype and others), or JSON Schemas (TypeBox). Values of
 * `params`, `query` and `headers` are converted from text for a JSON Schema. What does not match gets 400, before the handler.
 */
export interface RequestSchemas {
  params?: unknown;
  query?: unknown;
  headers?: unknown;
  /** Of a JSON body: another content type gets 415. */
  body?: unknown;
}

/** What a route may be given beside its handler. */
export interface RouteOptions
  extends RouteScheduling,
    RequestBodyOptions,
    Pick<RequestSchemas, 'params' | 'query' | 'headers'> {
  /** A schema of the JSON body; or `'stream'`: the handler is started once the head is there, and reads the body with `req.stream()`. */
  body?: unknown;
  /**
   * Schema of what the handler returns: JSON Schema, TypeBox, or a Standard Schema that has a JSON Schema. It is compiled to a
   * writer, which is faster than JSON.stringify, leaves out what the schema does not name, and fails on what does not match.
   * Or schemas by status: `{ 200: A, 404: B, '4xx': C, default: D }`.
   */
  response?: unknown;
  /** In place of the server's option: compresses what the handler returns, or not. */
  compress?: boolean | CompressOptions;
}

/** The types of a request of a route with the pattern `P` and the options `O`. */
export interface RequestOf<P extends string, O = object> extends RequestTypes {
  params: O extends { params: infer S } ? Infer<S> : ParamsOf<P>;
  query: O extends { query: infer S } ? Infer<S> : Query;
  headers: O extends { headers: infer S } ? Infer<S> : Headers;
  body: O extends { body: infer S } ? (S extends string ? never : Infer<S>) : unknown;
}

/** What the handler of a route with the options `O` returns, apart from bytes and nothing. */
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
