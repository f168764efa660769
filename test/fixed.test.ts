import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp } from 'loopshard';
import { definitionOf } from '../build/src/app/definition.js';
import { exchange, field, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';
import { Stage } from './support/stage.js';

let running: TestServer;
const stage = new Stage();

beforeAll(async () => {
  running = await startServer({ shards: 1 }, 'scheduling-app.js');
});

afterAll(async () => {
  stage.end();
  await expectConserved(running);
  await running.server.close();
});

const head = (target: string) => get(target).replace('GET', 'HEAD');

test.each<[string, string, Uint8Array]>([
  ['/fixed/text', 'text/plain; charset=utf-8', Buffer.from('grüße')],
  ['/fixed/json', 'application/json', Buffer.from('{"fixed":true}')],
  ['/fixed/bytes', 'application/octet-stream', Buffer.from([0, 1, 254])],
  ['/fixed/page', 'text/html', Buffer.from('<p>')],
])('%s is sent as %s', async (target, type, bytes) => {
  const response = await exchange(running.port, get(target));
  expect([response.status, field(response, 'content-type')]).toEqual([200, type]);
  expect(field(response, 'content-length')).toBe(String(bytes.length));
  expect(response.body).toEqual(Buffer.from(bytes));
  expect(Math.abs(Date.parse(field(response, 'date')!) - Date.now())).toBeLessThan(3_000);
});

test('HEAD has the same head and no body', async () => {
  const client = await RawClient.open(running.port);
  client.write(head('/fixed/text') + get('/fixed/text'));
  const { status, fields } = await client.response({ hasBody: false });
  expect([status, fields.find(([name]) => name === 'content-length')?.[1]]).toEqual([200, '7']);
  const next = await client.response();
  expect([next.statusLine, next.body.toString()]).toEqual(['HTTP/1.1 200 OK', 'grüße']);
  client.destroy();
});

test('other methods get 405', async () => {
  const response = await exchange(running.port, get('/fixed/text').replace('GET', 'DELETE'));
  expect([response.status, field(response, 'allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
});

test('fixed responses use no shard, even while all shards are busy', async () => {
  const before = running.server.stats().shards[0].requests;
  const blocking = await stage.send(running, '/hold/a');
  await until(() => stage.started.length === 1, 'the handler that blocks');
  const client = await RawClient.open(running.port);
  client.write(get('/fixed/json').repeat(100));
  for (let i = 0; i < 100; i++) expect((await client.response()).body.toString()).toBe('{"fixed":true}');
  client.destroy();
  stage.release('a');
  expect((await blocking.response).status).toBe(200);
  expect(running.server.stats().shards[0].requests - before).toBe(1);
});

test('fixed responses keep their order among responses of shards, and close the connection on request', async () => {
  const client = await RawClient.open(running.port);
  client.write(get(stage.target('/wait/b')) + get('/fixed/json', 'Connection: close'));
  await until(() => stage.started.includes('b'), 'the start');
  expect(client.pending).toHaveLength(0);
  stage.release('b');
  expect(JSON.parse((await client.response()).body.toString()).id).toBe('b');
  const last = await client.response();
  expect([last.body.toString(), field(last, 'connection')]).toEqual(['{"fixed":true}', 'close']);
  await client.closed();
});

describe('app.fixed rejects', () => {
  test.each<[() => unknown, string, string]>([
    [() => createApp().fixed('/a/:b', 'x'), 'ROUTE_INVALID', 'has a parameter'],
    [() => createApp().fixed('/a/*', 'x'), 'ROUTE_INVALID', 'has a parameter'],
    [
      () => createApp().fixed('/a', undefined),
      'ROUTE_INVALID',
      "Invalid body of app.fixed('/a'): expected bytes, a string or a JSON value, got undefined.",
    ],
    [() => createApp().fixed('/a', () => 'x'), 'ROUTE_INVALID', 'got [Function'],
    [() => createApp().fixed('/a', 'x', { type: 'a\r\nb: c' }), 'ROUTE_INVALID', 'Invalid `type` of '],
    [
      () =>
        createApp()
          .fixed('/a', 'x')
          .get('/a', () => 'y'),
      'ROUTE_DUPLICATE',
      'Route `GET /a` was already added',
    ],
  ])('%s', (define, code, message) => {
    expect(define).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});

test('bytes are copied, so later changes have no effect', () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const app = createApp().fixed('/a', bytes);
  bytes.fill(0);
  expect(definitionOf(app)!.table().routes[0].fixed?.bytes).toEqual(new Uint8Array([1, 2, 3]));
});
