import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve as resolvePath } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { LoopShardError } from '../errors.js';
import { show } from './checks.js';

/** Extensions of modules, in the order in which they are suggested. */
const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

/**
 * Returns the URL of a module that threads load.
 * @param module a URL, or a path relative to the working directory
 * @param what describes the expected module, for messages
 * @throws LoopShardError MODULE_NOT_FOUND
 */
export function moduleUrl(module: URL | string, what: string): string {
  if (typeof module !== 'string' && !(module instanceof URL)) {
    throw notFound(
      `Expected the path or URL of ${what}, got ${show(module)}. Each thread imports the module by itself: pass \`new URL('./app.js', import.meta.url)\`.`,
    );
  }
  const url = toUrl(module);
  if (url.protocol !== 'file:') return url.href;
  const path = toPath(url);
  if (!existsSync(path)) throw notFound(`Cannot find ${path}. ${suggestion(path, what)}`);
  if (statSync(path).isDirectory()) throw notFound(`${path} is a directory. ${inside(path, what)}`);
  return url.href;
}

function toUrl(module: URL | string): URL {
  if (typeof module === 'string' && !/^[a-z][a-z0-9+.-]+:/i.test(module)) return pathToFileURL(resolvePath(module));
  try {
    return new URL(module);
  } catch (cause) {
    throw notFound(`Invalid module URL ${module}: ${(cause as Error).message}.`);
  }
}

function toPath(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw notFound(`Invalid module URL ${url.href}: ${(cause as Error).message}.`);
  }
}

/** @param path a path that does not exist */
function suggestion(path: string, what: string): string {
  const directory = dirname(path);
  const others = existsSync(directory) && statSync(directory).isDirectory() ? readdirSync(directory) : [];
  const name = basename(path, EXTENSIONS.includes(extname(path)) ? extname(path) : '');
  const near = EXTENSIONS.map((extension) => `${name}${extension}`).find((file) => others.includes(file));
  return near === undefined ? passPath(what) : `Did you mean ${join(directory, near)}?`;
}

function inside(directory: string, what: string): string {
  const files = readdirSync(directory);
  const main = ['app', 'index'].flatMap((name) => EXTENSIONS.map((extension) => `${name}${extension}`));
  const found = main.find((file) => files.includes(file));
  return found === undefined ? passPath(what) : `Did you mean ${join(directory, found)}?`;
}

function passPath(what: string): string {
  return `Pass the path of ${what}.`;
}

function notFound(message: string): LoopShardError {
  return new LoopShardError('MODULE_NOT_FOUND', message);
}
