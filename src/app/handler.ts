/* What handlers are given and what they give. The types are the manual. */

import type { JsonWriter } from '../json/direct.js';
import type { CompressOptions } from '../options/compression.js';
import type { Method } from '../options/methods.js';
import type { RequestBodyOptions } from '../options/request-body.js';
import type { RouteScheduling } from '../options/scheduling.js';

/** Path parameters: decoded, by name; `*` for a wildcard. */
export type Params = Readonly<Record<string, string | undefined>>;
/** Query parameters: decoded; a key that comes more than once has an array. The object has no prototype. */
export type Query = Readonly<Record<string, string | string[] | undefined>>;

/**
 * A request, on a shard. Nothing of it is decoded before it is asked for. Its bytes lie in memory that is used again:
 * once the handler has settled, everything that would read them throws a `LoopShardError` REQUEST_FINISHED.
 */
export interface ShardRequest {
  /** Names the request in logs; unique in the server's life for 2³² requests. By the option `requestId`, the client's name. */
  readonly id: string;
  readonly method: Method;
  /** The request target as it was sent, with the query (RFC 9112 section 3.2). */
  readonly target: string;
  /** The target up to the query, not decoded. */
  readonly path: string;
  readonly params: Params;
  readonly query: Query;
  /** Aborted when the client is gone, or the handler has taken longer than `handlerTimeoutMs`. */
  readonly signal: AbortSignal;
  /**
   * The value of a header field, or `undefined`. Several fields of the name are joined by ", " (`cookie` by "; ").
   * @param name in any case
   */
  header(name: string): string | undefined;
  /** All header fields by their names in lower case. The object has no prototype. */
  headers(): Record<string, string>;
  /**
   * The body: a view, valid until the handler settles.
   * @throws LoopShardError BODY_STREAMED on a route with `body: 'stream'`; so do `text()` and `json()`
   */
  bytes(): Uint8Array;
  /** The body, as UTF-8. */
  text(): string;
  /**
   * The body, parsed as JSON.
   * @throws LoopShardError BODY_INVALID; a handler that lets it pass answers 400
   */
  json<T = unknown>(): T;
  /**
   * The body in chunks of 64 KiB at the most, which are the handler's to keep; on a route with `body: 'stream'` as it comes.
   * What was not read when the handler settles is lost. Once a request.
   *
   * Reading fails with a `LoopShardError` BODY_INCOMPLETE when the client leaves or stalls in the middle or sends more than
   * the route takes, and with REQUEST_FINISHED once the request was answered.
   * @throws LoopShardError BODY_STREAMED the second time
   */
  stream(): AsyncIterableIterator<Uint8Array>;
}

/** The response's status and header fields, set before the handler settles. The handler returns the body. */
export interface ShardResponse {
  /**
   * @param code 200 to 599; 200 by default, 204 for a handler that returns nothing
   * @throws LoopShardError STATUS_INVALID
   */
  status(code: number): this;
  /**
   * Sets a header field, in the place of an earlier one of that name; `set-cookie` is added instead.
   * @param value Latin-1 without control characters; a number; or several values, each of which is sent as a field of its own
   * @throws LoopShardError HEADER_INVALID, also for `content-length`, `transfer-encoding`, `connection` and `date`, which
   * are the server's
   */
  header(name: string, value: string | number | readonly string[]): this;
  /** Sets `content-type`. Text gets `charset=utf-8` if a type such as `text/html` names no charset. */
  type(mime: string): this;
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
}

/**
 * What a handler returns, or promises:
 * `Uint8Array`: sent as it is (`application/octet-stream` unless set); `string`: `text/plain; charset=utf-8`;
 * `undefined`: no body (204), or what `res.writer()` has written; an `AsyncIterable` of bytes or strings, of which a
 * `ReadableStream` is one: streamed (docs/streaming.md); any other JSON value: `application/json`.
 *
 * On a route with a response schema, everything but bytes and `undefined` is written by the schema; it streams nothing.
 */
export type Handler<T = unknown> = (req: ShardRequest, res: ShardResponse) => Result<T> | PromiseLike<Result<T>>;

// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a return statement returns undefined
type Result<T> = T | Uint8Array | undefined | void;

/** Called with what a handler threw; its return value is the response, as a handler's is. */
export type ErrorHandler = (error: unknown, req: ShardRequest, res: ShardResponse) => unknown;

/** Enters the async context of a request and calls `run` in it, before it returns. */
export type ContextEntry = (req: ShardRequest, run: () => void) => unknown;

/** What a route may be given beside its handler. */
export interface RouteOptions<S = unknown> extends RouteScheduling, RequestBodyOptions {
  /**
   * JSON Schema (or TypeBox schema) of what the handler returns. It is compiled to a writer, which is faster than
   * JSON.stringify, leaves out what the schema does not name, and fails on what does not match.
   */
  response?: S;
  /** In place of the server's option: compresses what the handler returns, or not. */
  compress?: boolean | CompressOptions;
}
