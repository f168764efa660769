/* Locates values that JSON.stringify cannot write. */
import { LoopShardError } from '../../errors.js';
import { place } from '../../json/mismatch.js';

/**
 * Returns an error with the location of the value that JSON.stringify could not write, or the original error if it is not found.
 * @param value the value passed to JSON.stringify
 */
export function explainUnserializable(error: unknown, value: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  try {
    const sentence = find(value, [], []);
    return sentence === undefined ? error : new LoopShardError('RESPONSE_INVALID', sentence, { cause: error });
  } catch {
    // A getter has thrown.
    return error;
  }
}

/** @param ancestors the objects that contain the value, outermost first */
function find(value: unknown, path: readonly string[], ancestors: readonly object[]): string | undefined {
  if (typeof value === 'bigint') {
    return `The handler returned a BigInt${place(path)}, which JSON cannot represent. Return a number or a string, or give the route a \`response\` schema with an integer there.`;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (ancestors.includes(value)) {
    return `The handler returned an object that contains itself${place(path)}, which JSON cannot represent. Return a copy without the cycle.`;
  }
  // JSON.stringify writes the result of `toJSON()`, which may differ on each call.
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = find(inner, [...path, key], [...ancestors, value]);
    if (found !== undefined) return found;
  }
  return undefined;
}
