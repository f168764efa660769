import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { blockOf, createProject, examplesOf } from '../support/pages.js';
import { Program, root } from '../support/process.js';

/* The examples of docs/getting-started.md, docs/shards.md and docs/deployment.md, in a project as the pages create it. */

const run = promisify(execFile);
const GUIDE = 'docs/getting-started.md';
let folder: string;
let running: Program[] = [];

beforeAll(async () => {
  const examples = [...(await examplesOf(GUIDE)), ...(await examplesOf('docs/shards.md'))];
  expect(examples.map(({ name }) => name)).toEqual(['app.mjs', 'app.cjs', 'app.ts', 'main.mjs', 'jobs.mjs']);
  // As `npm init -y` creates it.
  folder = await createProject('getting-started', 'commonjs', examples);
});

afterAll(async () => {
  for (const { child } of running) child.kill('SIGTERM');
  for (const program of running) await program.exit();
  running = [];
  await rm(folder, { recursive: true });
});

function start(args: string[], cwd = folder): Program {
  const program = new Program(process.execPath, args, { cwd, env: { ...process.env, PORT: '0' } });
  running.push(program);
  return program;
}

async function serve(command: string, module: string): Promise<{ program: Program; url: string }> {
  const program = start([join(root, 'build/dist/cli.js'), command, module, '--port', '0']);
  return { program, url: (await program.printed(/http:\S+(?=;)/))[0] };
}

const json = async (url: string, init?: RequestInit) => (await fetch(url, init)).json();

test('the first app has the responses that the page shows', async () => {
  const { url } = await serve('serve', 'app.mjs');
  const page = await readFile(join(root, GUIDE), 'utf8');
  const shown = [...page.matchAll(/^curl localhost:8000(\/\S+)(?: -d '(.*?)')? +# (\{.*\})$/gm)];
  expect(shown).toHaveLength(3);
  for (const [, path, body, expected] of shown) {
    // As curl sends it.
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const response = await fetch(url + path, body === undefined ? {} : { method: 'POST', body, headers });
    expect(await response.text()).toBe(expected);
  }
  const slow = json(`${url}/slow`);
  expect(await Promise.race([slow, json(`${url}/hello`)])).toEqual({ message: 'Hello!' });
  expect(await slow).toEqual({ key: expect.stringMatching(/^[0-9a-f]{64}$/) });
});

test('CommonJS', async () => {
  const { url } = await serve('serve', 'app.cjs');
  expect(await json(`${url}/hello`)).toEqual({ message: 'Hello!' });
});

test('a program serves it', async () => {
  const program = start(['main.mjs']);
  const [, port] = await program.printed(/listening on port (\d+)/);
  expect(await json(`http://127.0.0.1:${port}/users/7`)).toEqual({ id: 7 });
});

test('a timer runs on one shard', async () => {
  const { program, url } = await serve('serve', 'jobs.mjs');
  expect(await (await fetch(url)).text()).toBe('served by every shard');
  await program.printed(/(?:cleans up[\s\S]*){3}/);
  expect(new Set(program.stdout.match(/shard \d cleans up/g))).toEqual(new Set(['shard 0 cleans up']));
});

describe('TypeScript', () => {
  let project: string;

  beforeAll(async () => {
    project = join(folder, 'typescript');
    await mkdir(join(project, 'src'), { recursive: true });
    await writeFile(join(project, 'package.json'), '{ "type": "module" }');
    await writeFile(join(project, 'tsconfig.json'), await blockOf(GUIDE, '## TypeScript', 'json'));
    await writeFile(join(project, 'src', 'app.ts'), await readFile(join(folder, 'app.ts')));
  });

  const expectUser = async (url: string) =>
    expect(await json(`${url}/users/1`, { headers: { 'accept-language': 'de' } })).toEqual({
      user: { id: '1', name: 'Ada' },
      language: 'de',
    });

  test('runs while one works on it', async () => {
    const { url } = await serve('dev', 'typescript/src/app.ts');
    await expectUser(url);
  });

  test('compiles, and the entry point of the Dockerfile serves the output', async () => {
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')], { cwd: project });
    const dockerfile = await blockOf('docs/deployment.md', '## Containers', 'dockerfile');
    const [, entry] = /^ENTRYPOINT (.*)$/m.exec(dockerfile)!;
    const [, flags] = /^CMD (.*)$/m.exec(dockerfile)!;
    const [command, ...args] = [...JSON.parse(entry), ...JSON.parse(flags)] as string[];
    expect(command).toBe('node_modules/.bin/loopshard');
    const program = start([join(root, 'build/dist/cli.js'), ...args, '--port', '0'], project);
    const [, port] = await program.printed(/http:\/\/0\.0\.0\.0:(\d+); routes: 1; shards: 3/);
    await expectUser(`http://127.0.0.1:${port}`);
    expect(await json(`http://127.0.0.1:${port}/readyz`)).toEqual({ status: 'ready' });
  });
});
