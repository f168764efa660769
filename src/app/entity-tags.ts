/* Entity tags (RFC 9110 section 8.8.3). HTTP thread and shard. */
import { hash } from 'node:crypto';
import { LoopShardError } from '../errors.js';

/** RFC 9110 section 8.8.3. */
const ENTITY_TAG = /^(W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;
const OPAQUE = /^[\x21\x23-\x7e\x80-\xff]*$/;
const ENTITY_TAGS = /(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

/** Computes a strong tag. */
export function tagOf(bytes: Uint8Array): string {
  return `"${hash('sha256', bytes, 'base64url')}"`;
}

/**
 * Formats a tag for the header.
 * @param value a complete tag, or the text between its quotes
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

/** Returns the weak tag for a representation with the same meaning but other bytes. */
export function weaken(tag: string): string {
  return tag.startsWith('"') ? `W/${tag}` : tag;
}

/** Whether If-None-Match contains the tag, by weak comparison (RFC 9110 section 13.1.2). */
export function matches(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch === '*') return true;
  const opaque = tag.slice(tag.indexOf('"'));
  return [...ifNoneMatch.matchAll(ENTITY_TAGS)].some(([, one]) => one === opaque);
}
