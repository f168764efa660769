/* How requests are named across services: an option. */

import type { Subject } from './checks.js';
import { TOKEN } from './field-syntax.js';

export interface RequestIdOptions {
  /** The field it is taken from, and given back in. Default `x-request-id`. */
  header?: string;
}

/** What is taken from a client goes into logs: visible ASCII, and not too much of it. */
const SANE_ID = /^[\x21-\x7e]{1,128}$/;
const DEFAULT_HEADER = 'x-request-id';
/** Fields that mean something else. */
const OTHERS = ['host', 'content-type', 'content-length', 'transfer-encoding', 'connection', 'date', 'cookie', 'etag'];

/**
 * The name of the field in lower case, or nothing without the option.
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
