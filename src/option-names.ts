import { LoopShardError, type LoopShardErrorCode } from './errors.js';

/**
 * Rejects options with unknown names.
 * @param owner such as `` `app.cors()` ``
 * @throws LoopShardError
 */
export function checkOptionNames(
  options: object,
  known: readonly string[],
  owner: string,
  code: LoopShardErrorCode = 'OPTION_UNKNOWN',
): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new LoopShardError(code, `Unknown option \`${unknown}\` of ${owner}. All options: ${known.join(', ')}.`);
}
