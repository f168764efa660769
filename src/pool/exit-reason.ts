import { inspect } from 'node:util';

/** Node.js ends a thread with this code whose module awaits what nothing that is left could settle. */
const UNSETTLED_EXIT_CODE = 13;

/**
 * Why a thread has exited, in words.
 * @param error what it threw, if it did
 */
export function exitReason(code: number, error: unknown): string {
  // Errors of a thread are copies, which need not be instances of Error here.
  const message = (error as { message?: unknown } | undefined)?.message;
  if (error !== undefined) return typeof message === 'string' ? message : inspect(error);
  return code === UNSETTLED_EXIT_CODE ? 'the module awaits a promise that never settles' : `exit code ${code}`;
}
