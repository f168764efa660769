import type { ShardRequest } from './handler.js';

/**
 * The message of the diagnostics channels `loopshard:request:…` (docs/traces.md): one object for each request, which every channel
 * publishes with what is known by then. Times are milliseconds since 1970, with fractions.
 */
export interface RequestEvent {
  /** The number of the shard. */
  readonly shard: number;
  /** The name of its group. */
  readonly group: string;
  /** The method, in upper case. */
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  /** The pattern of the route; `undefined` if none matches, or an app of another framework routes the request. */
  readonly route: string | undefined;
  /** The request, which can be read until the handler settles; `undefined` if no handler was called. */
  readonly request: ShardRequest | undefined;
  /** When the first byte of the request arrived. */
  readonly arrivedAt: number;
  /** When the request was submitted to a shard; `undefined` if the HTTP thread has responded immediately. */
  readonly queuedAt: number | undefined;
  /** When a shard has claimed it. */
  readonly claimedAt: number | undefined;
  /** When its handler was called. */
  readonly startedAt: number | undefined;
  /** When its handler has settled, or the head of a stream was sent. */
  readonly settledAt: number | undefined;
  /** When the kernel had the last byte of the response, or the connection was closed. */
  readonly endedAt: number | undefined;
  /** Status of the response; `undefined` before the end, and if none was sent. */
  readonly statusCode: number | undefined;
  /** The response was not sent completely. */
  readonly isAborted: boolean;
  /** The latest unexpected error of the handler. */
  readonly error: unknown;
  /** Why the HTTP thread has responded in place of a handler, such as `QUEUE_TIMEOUT`. */
  readonly code: string | undefined;
}
