import { inspect } from 'node:util';
import { LoopShardError } from '../errors.js';

/** What an option may be: one of several values, or a positive integer. */
export type Allowed = readonly unknown[] | 'positive integer';

/**
 * Checks an option of a JSON writer.
 * @throws LoopShardError OPTION_INVALID
 */
export function checkOption(name: string, value: unknown, allowed: Allowed): void {
  const isValid = typeof allowed === 'string' ? Number.isInteger(value) && Number(value) > 0 : allowed.includes(value);
  if (isValid) return;
  const expected =
    typeof allowed === 'string' ? `a ${allowed}` : allowed.map((choice) => `\`${inspect(choice)}\``).join(' or ');
  throw new LoopShardError('OPTION_INVALID', `Invalid \`${name}\`: expected ${expected}, got ${inspect(value)}.`);
}
