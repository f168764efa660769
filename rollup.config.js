import { rm } from 'node:fs/promises';

const DIR = 'build/dist';
const ENTRIES = [
  'index',
  'core/index',
  'json/index',
  'testing/index',
  'adapters/index',
  'cli',
  'shard/entry',
  'http/entry',
  'contract/syntax-debugger',
  'dev/preload',
  'dev/import-hooks',
];

/**
 * What users install, from the modules in build/src: a file for each way into the package, and what several of them share beside
 * them. Eighty files for each thread would be a quarter of the CPU time that a shard's start takes.
 * @type {import('rollup').RollupOptions}
 */
export default {
  input: Object.fromEntries(ENTRIES.map((name) => [name, `build/src/${name}.js`])),
  external: (id) => !/^[./]|^[a-z]:/i.test(id),
  output: {
    dir: DIR,
    format: 'es',
    // As deep as the modules they are made of, which find the WASM core and each other by their own place.
    chunkFileNames: 'chunks/[name]-[hash].js',
    hoistTransitiveImports: false,
  },
  // Names of shared files change with their contents.
  plugins: [{ name: 'clean', buildStart: () => rm(DIR, { recursive: true, force: true }) }],
};
