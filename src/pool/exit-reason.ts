import { inspect } from 'node:util';

/** The exit code of a thread whose module awaits a promise that can never settle. */
const UNSETTLED_EXIT_CODE = 13;

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
