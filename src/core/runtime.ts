/* Looked at before anything that needs it: what flags of Node.js can take away. Imported for this effect. */
import { LoopShardError } from '../errors.js';

if (typeof WebAssembly === 'undefined') throw missing('WebAssembly', '--jitless');
// Packages that LoopShard uses extend built-in objects when they are loaded.
if (Object.isFrozen(Object)) throw missing('Changing built-in objects', '--frozen-intrinsics');
if (!mayCompile()) throw missing('Compiling code from strings', '--disallow-code-generation-from-strings');

/** Routers and JSON writers are compiled. */
function mayCompile(): boolean {
  try {
    new Function('');
    return true;
  } catch {
    return false;
  }
}

function missing(what: string, flag: string): LoopShardError {
  return new LoopShardError(
    'RUNTIME_UNSUPPORTED',
    `${what} is not available: Node.js runs with ${flag}. LoopShard needs it; start Node.js without this flag.`,
  );
}
