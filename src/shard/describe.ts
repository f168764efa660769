import { inspect } from 'node:util';
import type { FailureReport } from '../contract/messages.js';

/** An error in plain strings: errors lose their codes when they are cloned, and anything at all can be thrown. */
export function describe(error: unknown): FailureReport['error'] {
  if (!(error instanceof Error)) {
    const text = show(error);
    return { name: 'Error', message: text, stack: text };
  }
  const name = property(error, 'name') ?? 'Error';
  const message = property(error, 'message') ?? '';
  const described = { name, message, stack: property(error, 'stack') ?? `${name}: ${message}` };
  const code = property(error, 'code');
  return code === undefined ? described : { ...described, code };
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
