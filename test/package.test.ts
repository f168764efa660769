import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Program, root } from './support/process.js';

/* Tests the package as users get it: packed, and installed into an empty folder. */
const run = promisify(execFile);
let folder: string;
let packed: { filename: string; files: { path: string }[] };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loopshard-'));
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
  });
  [packed] = JSON.parse(stdout.slice(stdout.indexOf('[')));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

test('contains what a user needs and nothing else', () => {
  const paths = packed.files.map(({ path }) => path);
  for (const needed of [
    'build/loopshard.wasm',
    'build/dist/index.js',
    'build/src/index.d.ts',
    'build/dist/shard/entry.js',
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
  ]) {
    expect(paths).toContain(needed);
  }
  expect(
    paths.filter(
      (path) =>
        !/^(build\/dist\/|build\/(src|assembly)\/.*\.d\.ts$|build\/loopshard\.wasm$|docs\/|examples\/|[A-Z]+(\.md)?$|package\.json$)/.test(
          path,
        ),
    ),
  ).toEqual([]);
});

test('imports only packages that are installed with it, in code and in types', async () => {
  const { dependencies, peerDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const files = packed.files.map(({ path }) => path).filter((path) => /^build\/.*\.(js|d\.ts)$/.test(path));
  const imported = new Set<string>();
  for (const file of files) {
    const text = await readFile(join(root, file), 'utf8');
    const code = text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');
    for (const [, name] of code.matchAll(/(?:\bfrom|\bimport|\bimport\(|\brequire\(|\blazily\()\s*'([@a-z][^']*)'/g)) {
      if (!name.startsWith('node:') && !name.startsWith('data:')) imported.add(name);
    }
  }
  const packages = [...imported].map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
  expect(packages).toEqual(expect.arrayContaining(['ajv', 'find-my-way', 'cookie', 'pino']));
  const installed = { ...dependencies, ...peerDependencies };
  expect(packages.filter((name) => installed[name] === undefined)).toEqual([]);
});

test('passes publint and are-the-types-wrong', async () => {
  const tarball = join(folder, packed.filename);
  await run('npx', ['--no-install', 'publint', '--strict', tarball], { cwd: root });
  await run('npx', ['--no-install', 'attw', '--profile', 'esm-only', tarball], { cwd: root });
}, 120_000);

test('serves from an empty folder', async () => {
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(
    join(folder, 'app.js'),
    "import { createApp } from 'loopshard';\nexport default createApp().get('/', () => ({ from: 'the tarball' }));\n",
  );
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${packed.filename}`], { cwd: folder });
  const program = new Program(process.execPath, ['node_modules/.bin/loopshard', 'serve', 'app.js', '--port', '0'], {
    cwd: folder,
  });
  const [url] = await program.printed(/http:\S+(?=;)/);
  expect(await (await fetch(url)).json()).toEqual({ from: 'the tarball' });
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
}, 180_000);
