import { LoopShardError, type LoopShardErrorCode } from '../errors.js';
import { describe } from './describe.js';

/** Why a thread cannot begin, as plain strings: errors lose their codes when they are cloned. */
export interface Refusal {
  type: 'refused';
  code: LoopShardErrorCode;
  message: string;
  stack: string;
  /** The code of the underlying system error, such as EADDRINUSE. */
  cause?: string;
}

/** @param otherwise the code for an error that is not a LoopShardError */
export function refuse(error: unknown, otherwise: LoopShardErrorCode): Refusal {
  const { message, stack } = describe(error);
  const code = error instanceof LoopShardError ? error.code : otherwise;
  const cause = (error as { cause?: { code?: unknown } } | undefined)?.cause?.code;
  return { type: 'refused', code, message, stack, ...(typeof cause === 'string' && { cause }) };
}

/**
 * Rebuilds the error from a refusal.
 * @param advice added to its first line
 */
export function refusedError({ code, message, stack, cause }: Refusal, advice = ''): LoopShardError {
  const options = cause === undefined ? undefined : { cause: { code: cause } };
  const [sentence] = message.split('\n', 1);
  const error = new LoopShardError(
    code,
    message.replace(sentence, () => sentence + advice),
    options,
  );
  error.stack = stack.replace(sentence, () => sentence + advice);
  return error;
}
