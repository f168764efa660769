import { LoopShardError } from '../errors.js';
import { ARRAY, BOOLEAN, INTEGER, NULL, NUMBER, OBJECT, STRING } from './parts.js';
import type { Accepted } from './plan.js';

/* The errors of values that do not match their schema. They name the place, never the text that stands there. */

/** More constants than this are not listed in a message. */
const MAX_LISTED = 8;

export function mismatch(path: readonly string[], value: unknown, wanted: string, cause?: unknown): LoopShardError {
  const message = `${place(path)} is ${described(value)}, and its schema wants ${wanted}.`;
  return new LoopShardError('VALUE_MISMATCH', message, cause === undefined ? undefined : { cause });
}

export function missing(path: readonly string[]): LoopShardError {
  return new LoopShardError('VALUE_MISMATCH', `${place(path)} is missing, and the schema requires it.`);
}

export function notAllowed(path: readonly string[]): LoopShardError {
  return new LoopShardError('VALUE_MISMATCH', `${place(path)} is a property that the schema does not allow.`);
}

export function tooDeep(path: readonly string[], maxDepth: number): LoopShardError {
  const start = place(path.slice(0, 8));
  return new LoopShardError(
    'DEPTH_EXCEEDED',
    `${start}/… is nested more than ${maxDepth} levels deep. Remove the cycle, or raise \`maxDepth\`.`,
  );
}

/** The error for what JSON.stringify threw, or that itself. */
export function explained(error: unknown, value: unknown, path: readonly string[]): unknown {
  if (error instanceof TypeError && error.message.startsWith('Converting circular')) {
    return new LoopShardError('DEPTH_EXCEEDED', `${place(path)} contains itself. JSON cannot represent cycles.`, {
      cause: error,
    });
  }
  if (isStackOverflow(error)) {
    return new LoopShardError('DEPTH_EXCEEDED', `${place(path)} is nested too deeply to be written.`, { cause: error });
  }
  if (error instanceof TypeError && error.message.includes('BigInt')) {
    return mismatch(path, value, 'free of BigInts', error);
  }
  return error;
}

export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack');
}

/** What a schema wants, for a message. */
export function wanted({ types, texts }: Accepted): string {
  const names: string[] = [];
  if (types & STRING) names.push('a string');
  if (types & INTEGER) names.push((types & NUMBER) === NUMBER ? 'a number' : 'an integer');
  if (types & BOOLEAN) names.push('a boolean');
  if (types & OBJECT) names.push('an object');
  if (types & ARRAY) names.push('an array');
  if (types & NULL) names.push('null');
  if (texts.length > MAX_LISTED) names.push('one of its constants');
  else names.push(...texts);
  return names.length === 0 ? 'nothing at all' : names.join(' or ');
}

function place(path: readonly string[]): string {
  if (path.length === 0) return 'The value';
  return `The value at ${path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
}

function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return 'an array';
  return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
