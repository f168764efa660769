/* What JSON.stringify cannot write, by its place in what a handler has returned. */
import { LoopShardError } from '../../errors.js';

/**
 * The error to report for one of JSON.stringify: with the place of what it could not write, if that is found.
 * @param value that was to be written
 */
export function explainUnserializable(error: unknown, value: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  try {
    const sentence = find(value, '', []);
    return sentence === undefined ? error : new LoopShardError('RESPONSE_INVALID', sentence, { cause: error });
  } catch {
    // A getter that throws.
    return error;
  }
}

/** @param ancestors of the value, outermost first */
function find(value: unknown, path: string, ancestors: readonly object[]): string | undefined {
  const place = path === '' ? '' : ` at ${path}`;
  if (typeof value === 'bigint') {
    return `The handler returned a BigInt${place}, which JSON cannot represent. Return a number or a string, or give the route a \`response\` schema with an integer there.`;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (ancestors.includes(value)) {
    return `The handler returned an object that contains itself${place}, which JSON cannot represent. Return a copy without the cycle.`;
  }
  // What it becomes is not known.
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = find(inner, `${path}/${key}`, [...ancestors, value]);
    if (found !== undefined) return found;
  }
  return undefined;
}
