import { execFile } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from '@jest/globals';
import { createProject, examplesOf } from '../support/pages.js';
import { loopshard, Program, root } from '../support/process.js';

/* The examples of docs/moving/: an app gives the same responses on its usual server and on shards, as it is and in each version of the page. */

const run = promisify(execFile);

interface Ask {
  path: string;
  method?: string;
  body?: string;
}

const USER: Ask[] = [
  { path: '/users/7' },
  { path: '/users', method: 'POST', body: '{"name":"Ada"}' },
  { path: '/nowhere' },
];
const ONE_USER: Ask[] = [{ path: '/users/7' }];
const ALL = ['before.mjs', 'after.mjs', 'mixed.mjs'];

/** By page: files that give the same responses, of which the first also runs by `node` if it is the one before the move. */
const PAGES: [string, string[], Ask[]][] = [
  ['express', ALL, USER],
  ['koa', ALL, [{ path: '/hot' }, { path: '/other' }]],
  ['fastify', ALL, USER],
  ['nest', ['before.js', 'after.js', 'mixed.mjs'], [...ONE_USER, { path: '/nowhere' }]],
  ['hono', ALL, USER],
  ['h3-elysia', ['h3-before.mjs', 'h3-after.mjs', 'mixed.mjs'], ONE_USER],
  ['h3-elysia', ['elysia-after.mjs'], ONE_USER],
];

afterAll(() => rm(join(root, 'build', 'moving'), { recursive: true, force: true }));

/** The status, the body and the header that an example sets. */
async function answers(port: string, asks: readonly Ask[]): Promise<unknown[]> {
  const all = [];
  for (const { path, ...init } of asks) {
    const headers = { ...(init.body !== undefined && { 'content-type': 'application/json' }), connection: 'close' };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers });
    all.push([path, response.status, response.headers.get('x-handled'), await response.text()]);
  }
  return all;
}

async function end(program: Program): Promise<void> {
  program.child.kill('SIGTERM');
  await program.exit();
}

async function answersByNode(file: string, asks: readonly Ask[]): Promise<unknown[]> {
  const preload = join(root, 'test/fixtures/listen-on-any-port.mjs');
  const program = new Program(process.execPath, ['--import', preload, file]);
  const [, port] = await program.printed(/port: (\d+)/);
  const given = await answers(port, asks);
  await end(program);
  return given;
}

async function answersByShards(file: string, asks: readonly Ask[]): Promise<unknown[]> {
  const program = loopshard('serve', file, '--port', '0', '--shards', '2');
  const [, port] = await program.printed(/listens on http:\/\/127\.0\.0\.1:(\d+)/);
  const given = await answers(port, asks);
  await end(program);
  // The server that h3 creates listens for signals.
  const unexpected = program.stderr.replaceAll(/^.*the app listens for SIG.*\n/gm, '');
  expect([file, program.child.exitCode, unexpected]).toEqual([file, 0, '']);
  return given;
}

/** Compiles the TypeScript files of a folder, if there are any, as `nest build` does. */
async function compile(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  if (files.length === 0) return;
  const flags = ['--module', 'nodenext', '--target', 'es2022', '--experimentalDecorators', '--emitDecoratorMetadata'];
  const checks = ['--types', 'node', '--skipLibCheck', '--strict', '--ignoreConfig'];
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [compiler, ...flags, ...checks, ...files], { cwd: folder });
}

test.each(PAGES)('docs/moving/%s.md: %j', async (page, files, asks) => {
  const examples = await examplesOf(`docs/moving/${page}.md`);
  const folder = await createProject(join('moving', page), 'module', examples);
  await compile(folder);
  const paths = files.map((file) => join(folder, file));
  const isMove = files[0].includes('before');
  const expected = isMove ? await answersByNode(paths[0], asks) : [['/users/7', 200, null, '{"id":"7"}']];
  expect(expected).toContainEqual(expect.arrayContaining([200]));
  for (const path of paths) expect([path, await answersByShards(path, asks)]).toEqual([path, expected]);
});

test('every page and every example is tested', async () => {
  const pages = [...new Set(PAGES.map(([page]) => page))];
  expect((await readdir(join(root, 'docs/moving'))).sort()).toEqual(pages.map((page) => `${page}.md`).sort());
  for (const page of pages) {
    const names = (await examplesOf(`docs/moving/${page}.md`)).map(({ name }) => name.replace(/\.ts$/, '.js'));
    const tested = PAGES.filter(([of]) => of === page).flatMap(([, files]) => files);
    expect(names.sort()).toEqual(tested.sort());
  }
});
