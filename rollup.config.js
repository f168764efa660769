import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

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
const modules = {
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

const PAGE = 'src/admin/page';
const UPLOT = new URL('node_modules/uplot/dist/', import.meta.url);

/**
 * The page of the admin listener: one script, one style sheet, one document, and nothing from elsewhere.
 * @type {import('rollup').RollupOptions}
 */
const page = {
  input: 'build/page/src/admin/page/main.js',
  output: { file: `${DIR}/admin/page.js`, format: 'es' },
  plugins: [
    {
      name: 'uplot',
      resolveId: (id) => (id === 'uplot' ? fileURLToPath(new URL('uPlot.esm.js', UPLOT)) : null),
    },
    {
      name: 'static',
      async writeBundle() {
        const styles = [new URL('uPlot.min.css', UPLOT), `${PAGE}/page.css`];
        const texts = await Promise.all(styles.map((file) => readFile(file, 'utf8')));
        await writeFile(`${DIR}/admin/page.css`, texts.join('\n'));
        await copyFile(`${PAGE}/index.html`, `${DIR}/admin/index.html`);
      },
    },
  ],
};

export default [modules, page];
