import { STATUS_CODES } from 'node:http';
import { inspect } from 'node:util';

/** Codes of LoopShard's errors. */
export type LoopShardErrorCode =
  | 'OPTION_INVALID'
  | 'OPTION_UNKNOWN'
  | 'MODULE_NOT_FOUND'
  | 'MODULE_WITHOUT_APP'
  | 'MODULE_FAILED'
  | 'ROUTE_INVALID'
  | 'ROUTE_DUPLICATE'
  | 'ROUTES_DIFFER'
  | 'MIDDLEWARE_INVALID'
  | 'SERVE_ON_OWN_THREAD'
  | 'TLS_INVALID'
  | 'PORT_IN_USE'
  | 'LISTEN_FAILED'
  | 'LAYOUT_MISMATCH'
  | 'RUNTIME_UNSUPPORTED'
  | 'MEMORY_EXHAUSTED'
  | 'SHARD_FAILED'
  | 'RELOAD_UNSUPPORTED'
  | 'NOT_RUNNING'
  | 'METRICS_DISABLED'
  | 'SHARD_NOT_READY'
  | 'PROFILE_FAILED'
  | 'ADMIN_UNREACHABLE'
  | 'ADMIN_TOKEN_REQUIRED'
  | 'HTTP_THREAD_FAILED'
  | 'CONTEXT_INVALID'
  | 'HEADER_INVALID'
  | 'STATUS_INVALID'
  | 'RESPONSE_INVALID'
  | 'RESPONSE_TOO_LARGE'
  | 'BODY_INVALID'
  | 'BODY_NOT_VALIDATED'
  | 'BODY_STREAMED'
  | 'BODY_INCOMPLETE'
  | 'REQUEST_FINISHED'
  | 'SERVER_CLOSING'
  | 'TOO_MANY_STREAMS'
  | 'SCHEMA_INVALID'
  | 'VALUE_MISMATCH'
  | 'DEPTH_EXCEEDED'
  | 'NESTING_INVALID';

/** An error raised by LoopShard itself. The message says what was wrong, what was expected, and what to do. */
export class LoopShardError extends Error {
  /** Name of the class. */
  override readonly name = 'LoopShardError';
  /** Says what was wrong, for programs. */
  readonly code: LoopShardErrorCode;

  constructor(code: LoopShardErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const HTTP_ERROR = Symbol.for('loopshard.HttpError');

/** Options of an HttpError. */
export interface HttpErrorOptions extends ErrorOptions {
  /** Code in the response body. Default: the name of the status, such as `NOT_FOUND`. */
  code?: string;
  /** Headers of the response. */
  headers?: Readonly<Record<string, string>>;
  /** Additional properties of the body. */
  details?: Readonly<Record<string, unknown>>;
  /** Whether the response contains message, code and details. Default: true below status 500. */
  expose?: boolean;
}

/**
 * An error that defines its response: its status, and the JSON body `{ statusCode, code, message, …details }`. Other errors with
 * `statusCode` or `status`, and `expose`, such as those of http-errors, get the same kind of response.
 */
export class HttpError extends Error {
  /**
   * Marks HttpErrors for `isHttpError`, because shards and the user's module may load different copies of this module.
   * @internal
   */
  get [HTTP_ERROR](): true {
    return true;
  }

  /** Name of the class. */
  override readonly name: string = 'HttpError';
  /** Status of the response, 400 to 599. */
  readonly statusCode: number;
  /** `code` in the response body. */
  readonly code: string;
  /** Headers of the response. */
  readonly headers: Readonly<Record<string, string>>;
  /** Additional properties of the body. */
  readonly details: Readonly<Record<string, unknown>>;
  /** Whether the response contains message, code and details. */
  readonly expose: boolean;

  /**
   * @param statusCode 400 to 599
   * @param message default: the standard text of the status
   * @throws LoopShardError STATUS_INVALID
   */
  constructor(statusCode: number, message?: string, options: HttpErrorOptions = {}) {
    const { code, headers = {}, details = {}, expose = statusCode < 500, ...rest } = options;
    super(message ?? STATUS_CODES[statusCode] ?? 'Error', rest);
    if (!isErrorStatus(statusCode)) {
      throw new LoopShardError(
        'STATUS_INVALID',
        `Invalid status of an HttpError: expected an integer from 400 to 599, got ${inspect(statusCode)}.`,
      );
    }
    this.statusCode = statusCode;
    this.code = code ?? statusName(statusCode);
    this.headers = headers;
    this.details = details;
    this.expose = expose;
  }
}

export function isHttpError(error: Error): error is HttpError {
  return HTTP_ERROR in error;
}

/** Whether the status is an error, 400 to 599. */
export function isErrorStatus(status: unknown): status is number {
  return Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599;
}

/** Converts a status to a code: `NOT_FOUND` for 404. */
export function statusName(statusCode: number): string {
  return (STATUS_CODES[statusCode] ?? `STATUS_${statusCode}`).toUpperCase().replace(/\W+/g, '_');
}
