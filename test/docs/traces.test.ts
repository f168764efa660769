import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createProject, examplesOf } from '../support/pages.js';
import { Program, root } from '../support/process.js';

/* The example of docs/traces.md, which prints its spans. */
let folder: string;

beforeAll(async () => {
  const examples = await examplesOf('docs/traces.md');
  expect(examples.map(({ name }) => name)).toEqual(['tracing.mjs', 'traced.mjs']);
  folder = await createProject('traces', 'module', examples);
});

afterAll(() => rm(folder, { recursive: true }));

test('the spans of a request are printed', async () => {
  const cli = join(root, 'build/dist/cli.js');
  const args = [cli, 'serve', 'traced.mjs', '--port', '0', '--shards', '2', '--preload', './tracing.mjs'];
  const program = new Program(process.execPath, args, { cwd: folder });
  const [url] = await program.printed(/http:\S+(?=;)/);
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  expect(await (await fetch(`${url}/users/7`, { headers })).json()).toEqual({ id: '7' });
  await program.printed(/name: 'GET \/users\/:id'[\s\S]*?\n}/);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
  const [child, server] = ['load user', 'GET /users/:id'].map((name) => {
    const at = program.stdout.indexOf(`name: '${name}'`);
    return program.stdout.slice(program.stdout.lastIndexOf('\n{', at), program.stdout.indexOf('\n}', at));
  });
  const idOf = (span: string) => /\n {2}id: '(\w+)'/.exec(span)![1];
  expect(server).toContain(`traceId: '${traceId}'`);
  expect(server).toContain("spanId: 'b7ad6b7169203331'");
  expect(child).toContain(`traceId: '${traceId}'`);
  expect(child).toContain(`spanId: '${idOf(server)}'`);
  expect(program.stderr).toBe('');
});
