import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { exchange, get, RawClient } from './support/client.js';
import { createRandom } from './support/random.js';
import { expectConserved, startServer, type TestServer } from './support/server.js';

let running: TestServer;

beforeAll(async () => {
  running = await startServer({ shards: 1 });
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const pieces = [
  'a',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  '[]',
  '[x]',
  '.',
  '=',
  '=',
  '&',
  '&',
  '%',
  '%z',
];
pieces.push('%00', '%E4', '%C3%BC', '%ff', '%25', '+', ';', '?', '/', '%26', '%3D', '{', '}', "'", '|', '\\', '^', '`');

test('random queries neither throw nor change a prototype', async () => {
  const random = createRandom();
  const client = await RawClient.open(running.port);
  for (let i = 0; i < 500; i++) {
    const length = Math.floor(random() * 12);
    const query = Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)]).join('');
    client.write(get(`/request/1?${query}`));
    const { status, body } = await client.response();
    expect([query, status]).toEqual([query, 200]);
    expect(JSON.parse(body.toString())).toMatchObject({ target: `/request/1?${query}`, path: '/request/1' });
  }
  client.write(get('/polluted'));
  expect((await client.response()).body.toString()).toBe('[]');
  client.destroy();
});

test('a path with any percent-encoding gets a response', async () => {
  for (const encoded of ['%00', '%2e%2e%2f', '%25', '%C3%BC', '%ff', '%C3', '%', '%4', '%u0041', '%ED%A0%80', '%2F']) {
    const { status } = await exchange(running.port, get(`/sync/${encoded}`));
    const isText = /^(%[0-7][\dA-Fa-f]|%C3%BC)+$/i.test(encoded);
    expect([encoded, status]).toEqual([encoded, isText ? 200 : 400]);
  }
  expect(running.logged).toEqual([]);
});
