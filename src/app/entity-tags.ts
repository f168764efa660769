/* Entity tags (RFC 9110 section 8.8.3). HTTP thread and shard. */
import { hash } from 'node:crypto';
import { LoopShardError } from '../errors.js';

/** RFC 9110 section 8.8.3. */
const ENTITY_TAG = /^(W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;
const OPAQUE = /^[\x21\x23-\x7e\x80-\xff]*$/;
const ENTITY_TAGS = /(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

/** A strong tag of these bytes. */
export function tagOf(bytes: Uint8Array): string {
  return `"${hash('sha256', bytes, 'base64url')}"`;
}

/**
 * A tag as it is sent, from one, or from what stands between its quotes.
 * @throws LoopShardError HEADER_INVALID
 */
export function formatTag(value: string, isWeak: boolean): string {
  if (typeof value === 'string') {
    if (ENTITY_TAG.test(value)) return isWeak ? weaken(value) : value;
    if (OPAQUE.test(value)) return isWeak ? `W/"${value}"` : `"${value}"`;
  }
  throw new LoopShardError(
    'HEADER_INVALID',
    `Invalid entity tag: expected visible characters without quotes, got ${JSON.stringify(value)}.`,
  );
}

/** For a representation that means the same, but has other bytes. */
export function weaken(tag: string): string {
  return tag.startsWith('"') ? `W/${tag}` : tag;
}

/** Whether a client that sent this If-None-Match has what the tag names: weak comparison (RFC 9110 section 13.1.2). */
export function matches(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch === '*') return true;
  const opaque = tag.slice(tag.indexOf('"'));
  return [...ifNoneMatch.matchAll(ENTITY_TAGS)].some(([, one]) => one === opaque);
}
