import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { get, post, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer } from './support/server.js';

let running: TestServer;

beforeAll(async () => {
  running = await startServer();
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

test('responses keep the order of their requests, whichever is ready first', async () => {
  const client = await RawClient.open(running.port);
  const targets = [
    '/later/60/a',
    '/sync/b',
    '/nowhere',
    '/later/20/c',
    '/async/d',
    '/large/50000',
    '/busy/5/e',
    '/sync/f',
  ];
  client.write(targets.map((target) => get(target)).join('') + post('/echo', 'g').toString());
  const bodies: string[] = [];
  for (let i = 0; i <= targets.length; i++) {
    const { status, body } = await client.response();
    bodies.push(status === 404 ? '404' : body.length > 100 ? `${body.length}` : body.toString());
  }
  expect(bodies).toEqual(['a', 'b', '404', 'c', 'd', '50000', 'e', 'f', 'g']);
  client.destroy();
});

test('more requests than may be in flight at once all get responses, in order', async () => {
  const client = await RawClient.open(running.port);
  const count = 3_000;
  client.write(Array.from({ length: count }, (_, i) => get(i % 7 === 0 ? `/async/${i}` : `/sync/${i}`)).join(''));
  for (let i = 0; i < count; i++) expect((await client.response()).body.toString()).toBe(String(i));
  client.destroy();
});

test('the server stops reading from a client that does not read, and the client loses nothing', async () => {
  const client = await RawClient.open(running.port);
  client.socket.pause();
  const count = 400;
  client.write(Array.from({ length: count }, (_, i) => get(`/large/${20_000 + i}`)).join(''));
  // Another client is served meanwhile.
  const other = await RawClient.open(running.port);
  for (let i = 0; i < 50; i++) {
    other.write(get(`/later/1/${i}`));
    expect((await other.response()).body.toString()).toBe(String(i));
  }
  expect(running.server.stats().slots.free).toBeGreaterThan(running.server.stats().slots.total - 100);
  client.socket.resume();
  for (let i = 0; i < count; i++) expect((await client.response()).body.length).toBe(20_000 + i);
  client.destroy();
  other.destroy();
});

test('a slow handler does not delay other connections', async () => {
  const slow = await RawClient.open(running.port);
  const fast = await RawClient.open(running.port);
  slow.write(get('/later/3000/slow'));
  for (let i = 0; i < 100; i++) {
    fast.write(get(`/async/${i}`));
    expect((await fast.response()).body.toString()).toBe(String(i));
  }
  expect(slow.pending.length).toBe(0);
  expect((await slow.response()).body.toString()).toBe('slow');
  slow.destroy();
  fast.destroy();
});
