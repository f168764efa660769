import { inspect } from 'node:util';
import { UNSETTLED_EXIT_CODE } from '../core/unsettled.js';

/**
 * Describes why a thread has exited.
 * @param error what it threw, if anything
 */
export function exitReason(code: number, error: unknown): string {
  // Errors of a thread are copies, and may not be instances of Error here.
  const message = (error as { message?: unknown } | undefined)?.message;
  if (error !== undefined) return typeof message === 'string' ? message : inspect(error);
  return code === UNSETTLED_EXIT_CODE ? 'the module awaits a promise that never settles' : `exit code ${code}`;
}
