import { createRequire } from 'node:module';
import { LoopShardError } from '../errors.js';

const require = createRequire(import.meta.url);

/**
 * A CommonJS module of a dependency that is loaded by its first use. Every shard loads what it imports, again whenever it is
 * restarted; what few of them need, or is imported through the bridge to CommonJS, took a third of the CPU time of that.
 * @param name as `require` takes it
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

/** What is to be done where files that the package needs are not where it looks for them. */
export const BUNDLED =
  'If your code is bundled, mark loopshard as external and install it beside the bundle: its threads load files of the package.';
