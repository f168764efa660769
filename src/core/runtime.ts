/* Checks for features that flags of Node.js can disable. Imported early for this side effect. */
import { LoopShardError } from '../errors.js';

if (typeof WebAssembly === 'undefined') throw missing('WebAssembly', '--jitless');
// Dependencies extend built-in objects when they are loaded.
if (Object.isFrozen(Object)) throw missing('Changing built-in objects', '--frozen-intrinsics');

/**
 * Checks that code can be compiled from strings, which routers need. JSON writers work without it.
 * @throws LoopShardError RUNTIME_UNSUPPORTED
 */
export function requireCompiling(): void {
  try {
    new Function('');
  } catch {
    throw missing('Compiling code from strings', '--disallow-code-generation-from-strings');
  }
}

function missing(what: string, flag: string): LoopShardError {
  return new LoopShardError(
    'RUNTIME_UNSUPPORTED',
    `${what} is not available: Node.js runs with ${flag}. LoopShard needs it: start Node.js without this flag.`,
  );
}
