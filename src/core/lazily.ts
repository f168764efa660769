import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * A CommonJS module of a dependency that is loaded by its first use. Every shard loads what it imports, again whenever it is
 * restarted; what few of them need, or is imported through the bridge to CommonJS, took a third of the CPU time of that.
 * @param name as `require` takes it
 */
export function lazily<T>(name: string): () => T {
  let loaded: T | undefined;
  return () => (loaded ??= require(name) as T);
}
