import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loopshard, type Program } from './support/process.js';

let program: Program;
let url: string;

beforeAll(async () => {
  program = loopshard('serve', 'examples/quickstart/app.js', '--port', '0');
  [url] = await program.printed(/http:\S+(?=;)/);
});

afterAll(async () => {
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

test.each([
  ['/async', { ok: true, handler: 'async' }],
  ['/sync', { ok: true, handler: 'sync' }],
  [
    '/json',
    {
      message: 'Hello, World!',
      numbers: [1, 2.5, 0, 1e21],
      nested: { yes: true, nothing: null, text: 'a "quoted" line\n' },
    },
  ],
  ['/raw', { already: 'bytes' }],
  ['/users/42', { id: '42', name: 'User 42' }],
  ['/health', { status: 'ok' }],
  ['/compute?rounds=1', { rounds: 1, key: expect.stringMatching(/^[0-9a-f]{64}$/) }],
  ['/compute?rounds=nonsense', { rounds: 10_000, key: expect.any(String) }],
])('GET %s', async (path, body) => {
  const response = await fetch(url + path);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toEqual(body);
});

test('POST /echo', async () => {
  const response = await fetch(`${url}/echo`, { method: 'POST', body: 'Hello, shard!' });
  expect([response.headers.get('content-type'), await response.text()]).toEqual([
    'text/plain;charset=UTF-8',
    'Hello, shard!',
  ]);
});

test('the page at / has a button for each endpoint', async () => {
  const response = await fetch(`${url}/`);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const page = await response.text();
  const buttons = [...page.matchAll(/data-method="(\w+)" data-path="([^"]+)" data-body="([^"]*)"/g)];
  expect(buttons.length).toBeGreaterThanOrEqual(8);
  for (const [, method, path, body] of buttons) {
    const { status } = await fetch(url + path, { method, ...(body && { body }) });
    expect([path, status]).toEqual([path, path === '/no-such-path' ? 404 : 200]);
  }
});
