import { createRequire } from 'node:module';
import { LoopShardError } from '../errors.js';

const require = createRequire(import.meta.url);

/**
 * Loads a CommonJS dependency on first use. Every shard loads its imports again whenever it is restarted. Dependencies that few apps
 * need, and imports of CommonJS from ES modules, took a third of the CPU time of a start.
 * @param name name for `require`
 */
export function lazily<T>(name: string): () => T {
  let loaded: T | undefined;
  return () => (loaded ??= load(name) as T);
}

function load(name: string): unknown {
  try {
    return require(name);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'MODULE_NOT_FOUND') throw cause;
    const message = `Cannot load ${name}, which the package loopshard needs. ${BUNDLED}`;
    throw new LoopShardError('RUNTIME_UNSUPPORTED', message, { cause });
  }
}

/** Advice if files of the package are not found. */
export const BUNDLED =
  'If your code is bundled, mark loopshard as external and install it next to the bundle: its threads load files of the package.';
