import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Server } from 'loopshard';
import { exchange, get, post } from './support/client.js';
import { root } from './support/process.js';

/* If the command is installed globally and the app imports the package of its project, shard and app have different copies of it. */
const directory = mkdtempSync(join(tmpdir(), 'copy-'));
const logged: string[] = [];
let server: Server;

beforeAll(async () => {
  for (const name of ['build', 'package.json']) cpSync(join(root, name), join(directory, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  const { serve } = await import(join(directory, 'build/dist/index.js'));
  const log = (_details: object, message: string) => void logged.push(message);
  server = await serve(new URL('./fixtures/copies.js', import.meta.url), {
    port: 0,
    shards: 1,
    logger: { error: log, warn: log, info: () => {} },
  });
});

afterAll(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

const json = async (bytes: string | Uint8Array) =>
  JSON.parse((await exchange(server.address().port, bytes)).body.toString());

test('an app that uses another copy of the package is validated and responds in the same way', async () => {
  const type = 'Content-Type: application/json';
  expect(await json(post('/body', '{"a":1}', type))).toEqual({ a: 1 });
  expect(await json(post('/body', '{}', type))).toMatchObject({ statusCode: 400, issues: [{ path: '/a' }] });
  expect(await json(get('/error'))).toEqual({ statusCode: 404, code: 'GONE_FISHING', message: 'x', until: 'noon' });
  expect(await json(get('/schema'))).toEqual({ a: 'a' });
  expect(await json(get('/middleware'))).toEqual({ wrapped: { a: 1 } });
  expect(logged).toEqual([]);
});
