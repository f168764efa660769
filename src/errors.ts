/** What can be wrong, as a word that programs can compare. */
export type LoopShardErrorCode =
  | 'OPTION_INVALID'
  | 'OPTION_UNKNOWN'
  | 'MODULE_NOT_FOUND'
  | 'MODULE_WITHOUT_APP'
  | 'MODULE_FAILED'
  | 'ROUTE_INVALID'
  | 'ROUTE_DUPLICATE'
  | 'ROUTES_DIFFER'
  | 'TLS_INVALID'
  | 'PORT_IN_USE'
  | 'LISTEN_FAILED'
  | 'LAYOUT_MISMATCH'
  | 'RUNTIME_UNSUPPORTED'
  | 'MEMORY_EXHAUSTED'
  | 'SHARD_FAILED'
  | 'HTTP_THREAD_FAILED'
  | 'CONTEXT_INVALID'
  | 'HEADER_INVALID'
  | 'STATUS_INVALID'
  | 'RESPONSE_INVALID'
  | 'RESPONSE_TOO_LARGE'
  | 'BODY_INVALID'
  | 'BODY_STREAMED'
  | 'BODY_INCOMPLETE'
  | 'REQUEST_FINISHED'
  | 'SCHEMA_INVALID'
  | 'VALUE_MISMATCH'
  | 'DEPTH_EXCEEDED'
  | 'NESTING_INVALID';

/** Every error that LoopShard raises itself. The message is one sentence that says what to do. */
export class LoopShardError extends Error {
  override readonly name = 'LoopShardError';
  readonly code: LoopShardErrorCode;

  constructor(code: LoopShardErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
