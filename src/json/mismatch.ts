import { LoopShardError } from '../errors.js';
import type { OpaquePart } from './opaque.js';
import { ARRAY, BOOLEAN, INTEGER, NULL, NUMBER, OBJECT, STRING } from './parts.js';
import type { Accepted } from './plan.js';

/* Errors of values that do not match their schema. They name the place, but never quote text, which may be secret. */

/** Maximum number of constants to list in a message. */
const MAX_LISTED = 8;

export function mismatch(path: readonly string[], value: unknown, wanted: string, cause?: unknown): LoopShardError {
  const got = described(value);
  const expected = wanted.split(' or ').includes(got) ? 'a value that matches the schema' : wanted;
  const message = `Invalid value${place(path)}: expected ${expected}, got ${got}.`;
  return new LoopShardError('VALUE_MISMATCH', message, cause === undefined ? undefined : { cause });
}

export function wrongLength(path: readonly string[], length: number, wanted: string): LoopShardError {
  return new LoopShardError('VALUE_MISMATCH', `Invalid array${place(path)}: expected ${wanted} items, got ${length}.`);
}

export function missing(path: readonly string[]): LoopShardError {
  return new LoopShardError('VALUE_MISMATCH', `Missing value${place(path)}: the schema requires it.`);
}

export function notAllowed(path: readonly string[]): LoopShardError {
  return new LoopShardError('VALUE_MISMATCH', `Unexpected property${place(path)}: the schema does not allow it.`);
}

export function opaqueAt({ path, name, advice }: OpaquePart): LoopShardError {
  return new LoopShardError('VALUE_MISMATCH', `Invalid value${place(path)}: JSON cannot represent ${name}. ${advice}`);
}

export function tooDeep(path: readonly string[], maxDepth: number): LoopShardError {
  const start = place(path.slice(0, 8));
  return new LoopShardError(
    'DEPTH_EXCEEDED',
    `Invalid value${start}/…: it is nested more than ${maxDepth} levels deep. Remove the cycle, or raise \`maxDepth\`.`,
  );
}

/** Returns a LoopShardError for an error of JSON.stringify, or the original error. */
export function explained(error: unknown, value: unknown, path: readonly string[]): unknown {
  if (error instanceof TypeError && error.message.startsWith('Converting circular')) {
    const message = `Invalid value${place(path)}: it contains itself, and JSON cannot represent cycles.`;
    return new LoopShardError('DEPTH_EXCEEDED', message, { cause: error });
  }
  if (isStackOverflow(error)) {
    return new LoopShardError('DEPTH_EXCEEDED', `Invalid value${place(path)}: it is nested too deeply.`, {
      cause: error,
    });
  }
  if (error instanceof TypeError && error.message.includes('BigInt')) {
    return mismatch(path, value, 'a value without BigInts', error);
  }
  return error;
}

export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack');
}

/** Formats what a schema accepts, for a message. */
export function wanted({ types, texts }: Accepted): string {
  const names: string[] = [];
  if (types & STRING) names.push('a string');
  if (types & INTEGER) names.push((types & NUMBER) === NUMBER ? 'a number' : 'an integer');
  if (types & BOOLEAN) names.push('a boolean');
  if (types & OBJECT) names.push('an object');
  if (types & ARRAY) names.push('an array');
  if (types & NULL) names.push('null');
  if (texts.length > MAX_LISTED) names.push('one of the constants of its schema');
  else names.push(...texts);
  return names.length === 0 ? 'no value' : names.join(' or ');
}

/** Returns ` at ` and the JSON Pointer of a path; nothing for an empty one. */
export function place(path: readonly string[]): string {
  if (path.length === 0) return '';
  return ` at ${path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
}

function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return 'an array';
  return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
