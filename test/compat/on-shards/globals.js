/* Puts LoopShard's classes in place of the globals, as on shards with a fetch app. `--import` loads it in the workers of Vitest. */
import { replaceGlobals } from '../../../build/src/adapters/fetch/globals.js';
import { note } from './used.js';

// The command itself, which starts the workers, is left alone.
if (process.env.VITEST !== undefined) {
  replaceGlobals();
  note();
}
