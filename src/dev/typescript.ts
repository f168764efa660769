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
 * Returns URLs of modules of the project's tsx whose `register()` lets a shard load TypeScript; none if it needs none, because Node.js strips
 * the types itself.
 * @param url of the app
 * @throws LoopShardError MODULE_FAILED if tsx is needed and not installed
 */
export function typeScriptLoaders(url: string): string[] {
  if (!/\.[cm]?tsx?$/.test(url)) return [];
  const strips = (process.features as { typescript?: unknown }).typescript;
  // Type stripping does not support JSX.
  if (strips !== undefined && strips !== false && !url.endsWith('x')) return [];
  try {
    const manifest = createRequire(url).resolve('tsx/package.json');
    const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
    return PARTS.map((part) => new URL(exports[part].import.default, pathToFileURL(manifest)).href);
  } catch (cause) {
    throw new LoopShardError(
      'MODULE_FAILED',
      `Node.js ${process.versions.node} cannot load TypeScript by itself. Run \`npm install --save-dev tsx\` in your project, or use Node.js 22.18 or later.`,
      { cause },
    );
  }
}
