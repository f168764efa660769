import type { Subject } from './checks.js';

/** Limits for the request bodies of a route. */
export interface RequestBodyOptions {
  /**
   * Largest request body, 0 to 1 GiB; with `body: 'stream'` up to 2⁵³ − 1, and `Infinity` for any size. A larger one gets 413.
   * Default: `limits.maxBodyBytes` of the server; with `body: 'stream'` `Infinity`.
   */
  maxBodyBytes?: number;
}

/** Largest size of a body that is not streamed. */
export const MOST_BODY_BYTES = 2 ** 30;

/**
 * @returns `undefined` if the route sets no limit
 * @throws LoopShardError
 */
export function checkMaxBody(
  { body, maxBodyBytes }: RequestBodyOptions & { body?: unknown },
  subject: Subject,
): number | undefined {
  if (maxBodyBytes === undefined || maxBodyBytes === Number.POSITIVE_INFINITY) {
    if (maxBodyBytes === undefined || body === 'stream') return maxBodyBytes;
  }
  return subject.integer(
    'maxBodyBytes',
    maxBodyBytes,
    0,
    body === 'stream' ? Number.MAX_SAFE_INTEGER : MOST_BODY_BYTES,
  );
}
