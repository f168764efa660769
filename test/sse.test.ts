import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp, eventStream } from 'loopshard';
import { close, inject } from 'loopshard/testing';
import { type Browser, chromium } from 'playwright-core';
import { chromiumPath, hasChromium } from './support/chromium.js';
import { decodeChunked } from './support/chunked.js';
import { field, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;

beforeAll(async () => {
  running = await startServer({ shards: 1 }, 'events.js');
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

async function events(path: string, ...fields: string[]): Promise<string> {
  const client = await RawClient.open(running.port);
  client.write(get(path, ...fields));
  const { fields: received } = await client.response();
  expect(received).toContainEqual(['content-type', 'text/event-stream']);
  expect(received).toContainEqual(['cache-control', 'no-cache']);
  expect(received).toContainEqual(['x-accel-buffering', 'no']);
  await until(() => decodeChunked(client.pending) !== undefined, 'the end of the events');
  const { body } = decodeChunked(client.pending)!;
  client.destroy();
  return body.toString();
}

test('events are framed for EventSource', async () => {
  expect(await events('/all')).toBe(
    [
      'data: one\n\n',
      'event: named\nid: 2\nretry: 500\ndata: {"a":[1,null]}\n\n',
      'data: first\ndata: second\ndata: third\ndata: \n\n',
      'id: 4\n\n',
    ].join(''),
  );
});

test('events continue for a client that has ended its side, until it disconnects', async () => {
  const client = await RawClient.open(running.port, { allowHalfOpen: true });
  client.write(get('/silent'));
  client.socket.end();
  await client.response();
  await until(() => client.pending.toString().split(':\n\n').length > 5, 'heartbeats');
  expect(client.ended).toBe(false);
  client.socket.resetAndDestroy();
  await expectConserved(running);
});

test.each([
  ['GET', '/by-hand', 'no-cache', 'no'],
  ['HEAD', '/by-hand', 'no-cache', 'no'],
  ['GET', '/own-fields', 'no-store', 'yes'],
  ['GET', '/no-events', undefined, undefined],
])('%s %s has cache-control: %s and x-accel-buffering: %s', async (method, path, caching, buffering) => {
  const client = await RawClient.open(running.port);
  client.write(get(path).replace('GET', method));
  const response = await client.response({ hasBody: method !== 'HEAD' });
  expect([field(response, 'cache-control'), field(response, 'x-accel-buffering')]).toEqual([caching, buffering]);
  client.destroy();
});

test.each(['event', 'id', 'retry', 'data'])('an event with an invalid %s fails', async (what) => {
  const client = await RawClient.open(running.port);
  const before = running.logged.length;
  client.write(get(`/invalid/${what}`));
  await client.response();
  await client.closed();
  await until(() => running.logged.length > before, 'the log');
  expect(running.logged.at(-1)!.details.err).toMatchObject({ code: 'RESPONSE_INVALID' });
});

test('the head is sent immediately, and comments while no events arrive', async () => {
  const client = await RawClient.open(running.port);
  client.write(get('/silent'));
  expect((await client.response()).status).toBe(200);
  await until(() => client.pending.toString().split('3\r\n:\n\n\r\n').length > 2, 'two comments');
  client.destroy();
  // The generator waits forever, but the request is finished.
  await expectConserved(running);
});

test('an invalid heartbeat is rejected', async () => {
  const client = await RawClient.open(running.port);
  const before = running.logged.length;
  client.write(get('/heartbeat'));
  expect((await client.response()).status).toBe(500);
  client.destroy();
  await until(() => running.logged.length > before, 'the log');
  expect(running.logged.at(-1)!.details.err).toMatchObject({ code: 'OPTION_INVALID' });
});

test('a route with schemas may send events', async () => {
  async function* one() {
    yield { data: 1 };
  }
  const params = { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] } as const;
  const app = createApp().get('/events/:id', { params }, (req, res) => eventStream(req, res, one()));
  expect((await inject(app, '/events/7')).body).toBe('data: 1\n\n');
  await close(app);
});

(hasChromium() ? describe : describe.skip)('examples/sse in Chromium', () => {
  let browser: Browser;
  let example: TestServer;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] });
    example = await startServer({ shards: 1 }, '../../examples/sse/app.js');
  });

  afterAll(async () => {
    await browser?.close();
    await expectConserved(example);
    await example.server.close();
  });

  test('the page shows the events in order, and the last one', async () => {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${example.port}/?to=3`);
    await page.waitForFunction('document.querySelectorAll("li").length === 4');
    expect(await page.locator('li').allTextContents()).toEqual(['1', '2', '3', 'counted\nto the end']);
    expect(await page.locator('#state').textContent()).toBe('closed');
    await page.close();
  });

  test('the handler ends when the page is stopped', async () => {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${example.port}/`);
    await page.waitForFunction('document.querySelectorAll("li").length > 1');
    expect(await page.locator('#state').textContent()).toBe('open');
    const streams = () => example.server.stats().shards.reduce((sum, shard) => sum + shard.streams, 0);
    expect(streams()).toBe(1);
    await page.locator('#stop').click();
    await until(() => streams() === 0, 'the end of the events');
    await page.close();
  });
});
