import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { integerRange } from '../build/src/options/resolve.js';
import { loopshard, Program, root } from './support/process.js';

/* The README's examples, run as they stand there, in a package as `npm init -y` makes it. */
const folder = join(root, 'build', 'readme');
let readme: string;

beforeAll(async () => {
  readme = await readFile(join(root, 'README.md'), 'utf8');
  await mkdir(folder, { recursive: true });
  const examples = [...readme.matchAll(/```js\n\/\/ (\S+)\n([\s\S]*?)```/g)];
  expect(examples.map(([, name]) => name)).toEqual([
    'app.mjs',
    'main.mjs',
    'rows.mjs',
    'upload.mjs',
    'busy-app.mjs',
    'busy.mjs',
    'core.mjs',
    'json.mjs',
  ]);
  await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }');
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  await rm(join(folder, 'node_modules', 'loopshard'), { force: true });
  await symlink(root, join(folder, 'node_modules', 'loopshard'), 'dir');
  for (const [, name, text] of examples) await writeFile(join(folder, name), text);
});

afterAll(() => rm(folder, { recursive: true }));

async function expectApp(port: string): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  expect(await (await fetch(`${url}/hello`)).json()).toEqual({ message: 'Hello, World!' });
  expect(await (await fetch(`${url}/users/7?verbose=yes`)).json()).toEqual({ id: '7', verbose: true });
  expect(await (await fetch(`${url}/raw`)).text()).toBe('hi');
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
  const [, port] = await program.printed(/127\.0\.0\.1:(\d+); shards: 4/);
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

test('JSON works on its own', async () => {
  const program = new Program(process.execPath, [join(folder, 'json.mjs')]);
  expect(await program.exit()).toBe(0);
  expect(program.stdout).toBe('{"id":7} wasm\n[1.5,"two",null]\n');
});

test('the core works on its own', async () => {
  const program = new Program(process.execPath, [join(folder, 'core.mjs')]);
  expect(await program.exit()).toBe(0);
  expect(program.stdout).toBe('3 1,2,3\ntrue false 0\n"a \\"quoted\\" text"\n');
});

test('the defaults in the table of options are the real ones', () => {
  const rows = [...readme.matchAll(/^\| `(\w+)` \| `--[\w-]+` \| ([\d,]+)( MiB)? \|/gm)];
  expect(rows.length).toBe(30);
  for (const [, name, number, unit] of rows) {
    const [, , standard] = integerRange(name as Parameters<typeof integerRange>[0]);
    expect([name, Number(number.replaceAll(',', '')) * (unit ? 2 ** 20 : 1)]).toEqual([name, standard]);
  }
});

test('the table of options has the flags that --help lists', async () => {
  const help = loopshard('serve', '--help');
  await help.exit();
  const listed = [...help.stdout.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag);
  const told = [...readme.matchAll(/^\| `\w+`.*?\| (`--.*?) \|/gm)].flatMap(([, cell]) => cell.match(/--[\w-]+/g));
  expect(told.sort()).toEqual(listed.sort());
});
