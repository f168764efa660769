import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chromium } from 'playwright-core';
import { chromiumPath, hasChromium } from './support/chromium.js';
import { loopshard, type Program } from './support/process.js';

let program: Program;
let url: string;

beforeAll(async () => {
  program = loopshard('serve', 'examples/quickstart/app.js', '--port', '0', '--shards', '2');
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

(hasChromium() ? describe : describe.skip)('in Chromium', () => {
  test('the page blocks one shard for 3 s, and shows that /health stays quick meanwhile', async () => {
    const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      await page.goto(url);
      await page.getByRole('button', { name: 'Block one shard for 3 s' }).click();
      await page.getByText('One shard is blocked.').waitFor();
      await page.getByText('One shard was blocked for 3 s.').waitFor();
      const text = await page.locator('#health').textContent();
      const [, count, longest] = /asked (\d+) times; 99 % took at most [\d.]+ ms, the longest ([\d.]+) ms/.exec(text!)!;
      // If it had waited for the blocked shard, it would have been asked once or twice.
      expect(Number(count)).toBeGreaterThan(20);
      expect(Number(longest)).toBeLessThan(1_500);
    } finally {
      await browser.close();
    }
  });
});
