import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { LoopShardError } from '../errors.js';

/** The parts of tsx that register it in a thread: `--import=tsx` affects only main threads. */
const PARTS = ['./cjs/api', './esm/api'];

/** The part of a package.json that says which file an import gets. */
interface Manifest {
  exports: Record<string, { import: { default: string } }>;
}

/**
 * Returns URLs of modules of the project's tsx whose `register()` lets a shard load TypeScript. Without tsx it returns none if Node.js
 * strips the types itself, which works for less: not for enums, JSX, paths of tsconfig.json, or imports of `./file.js` that mean `file.ts`.
 * @param url of the app
 * @throws LoopShardError MODULE_FAILED if tsx is needed and not installed
 */
export function typeScriptLoaders(url: string): string[] {
  if (!/\.[cm]?tsx?$/.test(url)) return [];
  const manifest = manifestOfTsx(url);
  if (manifest !== undefined) {
    const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
    return PARTS.map((part) => new URL(exports[part].import.default, pathToFileURL(manifest)).href);
  }
  const strips = (process.features as { typescript?: unknown }).typescript;
  if (strips !== undefined && strips !== false && !url.endsWith('x')) return [];
  throw new LoopShardError(
    'MODULE_FAILED',
    `Node.js ${process.versions.node} cannot load ${url.endsWith('x') ? 'JSX' : 'TypeScript'} by itself. Run \`npm install --save-dev tsx\` in your project${url.endsWith('x') ? '' : ', or use Node.js 22.18 or later'}.`,
  );
}

function manifestOfTsx(url: string): string | undefined {
  try {
    return createRequire(url).resolve('tsx/package.json');
  } catch {
    return undefined;
  }
}
