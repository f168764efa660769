import { existsSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { LoopShardError } from '../errors.js';

/**
 * The URL of a module that threads load.
 * @param module a URL, or a path, which is taken from the working directory
 * @param what the module is expected to be, in words
 * @throws LoopShardError MODULE_NOT_FOUND
 */
export function moduleUrl(module: URL | string, what: string): string {
  const isUrl = module instanceof URL || /^[a-z][a-z0-9+.-]+:/i.test(module);
  const url = isUrl ? new URL(module) : pathToFileURL(resolvePath(module));
  if (url.protocol !== 'file:' || existsSync(fileURLToPath(url))) return url.href;
  throw new LoopShardError('MODULE_NOT_FOUND', `There is no file ${fileURLToPath(url)}; give the path of ${what}.`);
}
