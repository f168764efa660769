/* Looked at before anything that needs it: what flags of Node.js can take away. Imported for this effect too. */
import { LoopShardError } from '../errors.js';

if (typeof WebAssembly === 'undefined') throw missing('WebAssembly', '--jitless');
// Packages that LoopShard uses extend built-in objects when they are loaded.
if (Object.isFrozen(Object)) throw missing('Changing built-in objects', '--frozen-intrinsics');

/**
 * JSON writers do without compiling, routers do not.
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
