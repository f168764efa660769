/* The option `requestId`: request IDs shared by several services. */

import type { Subject } from './checks.js';
import { TOKEN } from './field-syntax.js';

/** Options of `requestId`. */
export interface RequestIdOptions {
  /** Header with the ID, in the request and in the response. Default `x-request-id`. */
  header?: string;
}

/** IDs from clients are logged, so they must be short and visible ASCII. */
const SANE_ID = /^[\x21-\x7e]{1,128}$/;
const DEFAULT_HEADER = 'x-request-id';
/** Headers that cannot be used, because they have another meaning. */
const OTHERS = ['host', 'content-type', 'content-length', 'transfer-encoding', 'connection', 'date', 'cookie', 'etag'];

/**
 * Returns the name of the header in lower case, or `undefined` without the option.
 * @throws LoopShardError
 */
export function checkRequestId(requestId: boolean | RequestIdOptions, subject: Subject): string | undefined {
  if (requestId === false) return undefined;
  const { header = DEFAULT_HEADER } = requestId === true ? {} : subject.object('requestId', requestId, ['header']);
  if (typeof header === 'string' && TOKEN.test(header) && !OTHERS.includes(header.toLowerCase())) {
    return header.toLowerCase();
  }
  throw subject.invalid('requestId.header', 'a header name without another meaning, such as `x-request-id`', header);
}

export function isSaneId(id: string | undefined): id is string {
  return id !== undefined && SANE_ID.test(id);
}
