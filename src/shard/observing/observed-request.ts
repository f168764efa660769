import type { RequestEvent } from '../../app/request-events.js';
import type { RequestName } from '../../contract/messages.js';
import type { RequestSpan } from './request-tracer.js';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A request that is traced, or whose events somebody listens to. Shard only. */
export interface ObservedRequest extends RequestName {
  readonly event: Mutable<RequestEvent>;
  /** Undefined if the request is not sampled, or not traced. */
  readonly span: RequestSpan | undefined;
  /** Milliseconds since 1970 at the epoch of the server's clock. */
  readonly epochMs: number;
}
