import { LoopShardError, type LoopShardErrorCode } from '../errors.js';

/** Why the admin listener rejects a request. */
export class AdminError extends Error {
  readonly statusCode: number;
  readonly code: string;
  readonly headers: Record<string, string>;

  constructor(statusCode: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.headers = headers;
  }
}

/** Errors of the server that are not due to its app. */
const STATUSES: Partial<Record<LoopShardErrorCode, number>> = {
  OPTION_INVALID: 400,
  METRICS_DISABLED: 404,
  NOT_RUNNING: 409,
  SHARD_NOT_READY: 409,
  PROFILE_FAILED: 409,
  RELOAD_UNSUPPORTED: 501,
};
/** A module that does not load, for instance. */
const UNPROCESSABLE = 422;

/** The response to a request that failed. */
export function adminErrorOf(error: unknown): AdminError {
  if (error instanceof AdminError) return error;
  if (error instanceof LoopShardError) {
    return new AdminError(STATUSES[error.code] ?? UNPROCESSABLE, error.code, error.message);
  }
  return new AdminError(500, 'INTERNAL_ERROR', error instanceof Error ? error.message : String(error));
}
