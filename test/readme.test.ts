import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { close, inject } from 'loopshard/testing';
import { flagsOf, OPTION_NAMES } from '../build/src/options/table.js';
import { readmeText } from '../scripts/generate-options.js';
import { createProject, examplesOf } from './support/pages.js';
import { loopshard, Program, root } from './support/process.js';

/* Runs the examples of README.md and of some pages unchanged, in a package created by `npm init -y`. */
const PAGES = ['README.md', 'docs/apps.md', 'docs/testing.md'];
let folder: string;
let readme: string;

beforeAll(async () => {
  readme = await readFile(join(root, 'README.md'), 'utf8');
  const examples = (await Promise.all(PAGES.map(examplesOf))).flat();
  expect(examples.map(({ name }) => name)).toEqual([
    'app.mjs',
    'main.mjs',
    'shop.mjs',
    'shop-test.mjs',
    'rows.mjs',
    'upload.mjs',
    'busy-app.mjs',
    'busy.mjs',
    'core.mjs',
    'json.mjs',
    'middleware.mjs',
    'validation.mjs',
    'shop.test.mjs',
  ]);
  folder = await createProject('readme', 'commonjs', examples);
});

afterAll(() => rm(folder, { recursive: true }));

async function expectApp(port: string): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  expect(await (await fetch(`${url}/hello`)).json()).toEqual({ message: 'Hello, World!' });
  expect(await (await fetch(`${url}/users/7?verbose=yes`)).json()).toEqual({ id: '7', verbose: true });
  expect(await (await fetch(`${url}/echo`, { method: 'POST', body: 'echo' })).text()).toBe('echo');
}

test('the app is served by the program', async () => {
  const program = new Program(process.execPath, [join(folder, 'main.mjs')]);
  const [, port] = await program.printed(/listening on port (\d+)/);
  await expectApp(port);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

test('the app is served by the command', async () => {
  const program = loopshard('serve', join(folder, 'app.mjs'), '--port', '0', '--shards', '4');
  const [, port] = await program.printed(/127\.0\.0\.1:(\d+); routes: 3; shards: 4/);
  await expectApp(port);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

test('schemas and writers', async () => {
  const program = loopshard('serve', join(folder, 'rows.mjs'), '--port', '0');
  const [url] = await program.printed(/http:\S+(?=;)/);
  expect(await (await fetch(`${url}/users/7`)).text()).toBe('{"id":7,"name":"Ada"}');
  expect(await (await fetch(`${url}/embedding`)).text()).toBe('{"vector":[0.5,-0.25]}');
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

test('uploads', async () => {
  const program = loopshard('serve', join(folder, 'upload.mjs'), '--port', '0');
  const [url] = await program.printed(/http:\S+(?=;)/);
  const body = Buffer.alloc(3_000_000, 'u');
  const { sha256 } = (await (await fetch(`${url}/upload`, { method: 'POST', body })).json()) as { sha256: string };
  expect(sha256).toBe(createHash('sha256').update(body).digest('hex'));
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

test('the shop is tested with inject', async () => {
  const program = new Program(process.execPath, [join(folder, 'shop-test.mjs')]);
  expect(await program.exit()).toBe(0);
  expect(program.stdout).toBe("201 Only 1 left.\nmust have required property 'count'\n");
  expect(program.stderr).toBe('');
});

test('middleware and scopes', async () => {
  const { default: app } = await import(join(folder, 'middleware.mjs'));
  expect((await inject(app, '/')).headers['server-timing']).toMatch(/^handler;dur=/);
  expect((await inject(app, '/admin/users')).json()).toMatchObject({ statusCode: 401, message: 'Not for you.' });
  const headers = { authorization: 'Bearer secret' };
  expect((await inject(app, { url: '/admin/users', headers })).json()).toEqual([{ id: 1 }]);
  expect((await inject(app, { url: '/admin/nothing', headers })).json()).toEqual({ missing: '/admin/nothing' });
  await close(app);
});

test('validation, with the test in docs/testing.md', async () => {
  const program = new Program(process.execPath, ['--test', join(folder, 'shop.test.mjs')]);
  expect(await program.exit()).toBe(0);
  expect(program.stdout).toMatch(/pass 2$/m);
});

test('scheduling', async () => {
  const program = new Program(process.execPath, [join(folder, 'busy.mjs')]);
  const [, port] = await program.printed(/listening on port (\d+); ready: true/);
  const read = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  expect(await read('/robots.txt')).toBe('User-agent: *\nDisallow:\n');
  expect(await read('/quick')).toBe('{"ok":true}');
  expect(await read('/hash/x')).toMatch(/^[0-9a-f]{64}$/);
  expect(await read('/readyz')).toBe('{"status":"ready"}');
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

test('the JSON writers work without a server', async () => {
  const program = new Program(process.execPath, [join(folder, 'json.mjs')]);
  expect(await program.exit()).toBe(0);
  expect(program.stdout).toBe('{"id":7} wasm\n[1.5,"two",null]\n');
});

test('the core works without a server', async () => {
  const program = new Program(process.execPath, [join(folder, 'core.mjs')]);
  expect(await program.exit()).toBe(0);
  expect(program.stdout).toBe('3 1,2,3\ntrue false 0\n"a \\"quoted\\" text"\n');
});

describe('the tables of options', () => {
  test('are generated from the table in the code; if not, run `npm run generate`', () => {
    expect(readme).toBe(readmeText(readme));
  });

  test('contain every option and every flag', () => {
    const tables = readme.slice(readme.indexOf('<!-- options -->'), readme.indexOf('<!-- /options -->'));
    const rows = [...tables.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)];
    expect(rows.map(([, name]) => name).sort()).toEqual([...OPTION_NAMES].sort());
    for (const [, name, flags] of rows) {
      expect([name, flags.match(/--[\w-]+/g) ?? []]).toEqual([
        name,
        flagsOf(name as (typeof OPTION_NAMES)[number]).map(({ flag }) => flag.split(' ')[0]),
      ]);
    }
  });
});
