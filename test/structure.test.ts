import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from '@jest/globals';
import { root } from './support/process.js';

/* The folder of a file determines its thread. Folders only import from those below them; this includes types. */
const SRC = join(root, 'src');
const FOR_ALL = new Set(['errors.ts', 'option-names.ts']);
/** Folders or files, and the folders that each may import from, besides the files for all. */
const BELOW: Record<string, string[]> = {
  core: [],
  json: ['core'],
  options: ['core'],
  contract: ['core', 'options'],
  app: ['contract', 'core', 'json', 'options'],
  pool: ['contract', 'core', 'options'],
  http: ['app', 'contract', 'core', 'options', 'pool'],
  adapters: ['app', 'core', 'options'],
  shard: ['adapters', 'app', 'contract', 'core', 'json', 'options'],
  metrics: ['contract', 'http', 'options', 'pool'],
  admin: ['app', 'contract', 'metrics', 'options'],
  // A program of its own, beside the one that it watches.
  top: ['admin', 'options'],
  server: ['admin', 'app', 'contract', 'core', 'http', 'metrics', 'options', 'pool', 'shard'],
  testing: ['app', 'core', 'options', 'server'],
  'index.ts': ['app', 'contract', 'http', 'options', 'pool', 'server'],
  dev: ['contract', 'options', 'server'],
  'cli.ts': ['dev', 'options', 'server', 'top'],
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports = new Map(
  files.map((file) => {
    const text = readFileSync(join(SRC, file), 'utf8');
    const targets = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)\.js'/g)].map(([, target]) =>
      relative(SRC, join(SRC, dirname(file), `${target}.ts`)),
    );
    return [file, targets.filter((target) => files.includes(target))];
  }),
);
const folderOf = (file: string) => file.split('/')[0];

/** Returns the files of an import cycle, if any. */
function findCircle(): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const target of imports.get(file)!) {
      const circle = visit(target, [...path, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of files) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

test('imports have no cycles', () => {
  expect(files.length).toBeGreaterThan(100);
  expect(findCircle()).toBeUndefined();
});

test('folders import from those below them only', () => {
  const upwards = [...imports].flatMap(([file, targets]) =>
    targets
      .filter((target) => !FOR_ALL.has(target) && folderOf(target) !== folderOf(file))
      .filter((target) => BELOW[folderOf(file)]?.includes(folderOf(target)) !== true)
      .map((target) => `${file} imports ${target}`),
  );
  expect(upwards).toEqual([]);
});
