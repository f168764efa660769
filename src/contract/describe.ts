import { inspect } from 'node:util';
import { LoopShardError, type LoopShardErrorCode } from '../errors.js';

/** An error in plain strings. */
export interface ErrorText {
  name: string;
  message: string;
  stack: string;
  code?: string;
}

/** An error in plain strings: errors lose their codes when they are cloned, and anything at all can be thrown. */
export function describe(error: unknown): ErrorText {
  if (!isError(error)) {
    const text = show(error);
    return { name: 'Error', message: text, stack: text };
  }
  const name = property(error, 'name') ?? 'Error';
  const message = property(error, 'message') ?? '';
  const described = { name, message, stack: property(error, 'stack') ?? `${name}: ${message}` };
  const code = property(error, 'code');
  return code === undefined ? described : { ...described, code };
}

/** Whether something that was thrown is an error; a proxy may throw when it is asked. */
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
}

/** The code of one of our own errors. */
export function codeOf(thrown: unknown): LoopShardErrorCode | undefined {
  return isError(thrown) && thrown instanceof LoopShardError ? thrown.code : undefined;
}

/** A property that is text, whatever it takes to read it. */
function property(error: Error, key: string): string | undefined {
  try {
    const value = (error as unknown as Record<string, unknown>)[key];
    if (value === undefined) return undefined;
    return typeof value === 'string' ? value : show(value);
  } catch {
    return undefined;
  }
}

function show(value: unknown): string {
  try {
    return typeof value === 'string' ? value : inspect(value);
  } catch {
    return 'something that cannot be shown';
  }
}
