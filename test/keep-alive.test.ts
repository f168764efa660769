import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { field, get, RawClient, type RawResponse } from './support/client.js';
import { expectConserved, startServer, type TestServer, until, untilStarted } from './support/server.js';

let running: TestServer;

afterEach(async () => {
  await expectConserved(running);
  await running.server.close();
});

async function ask(bytes: string): Promise<RawResponse> {
  const client = await RawClient.open(running.port);
  client.write(bytes);
  const response = await client.response({ hasBody: !bytes.startsWith('HEAD') });
  client.destroy();
  return response;
}

/** Returns the headers of a response about its connection, including repeated ones. */
function said({ fields }: RawResponse): string[] {
  return fields.filter(([name]) => name === 'connection' || name === 'keep-alive').map(([, value]) => value);
}

describe('every response announces the keep-alive timeout, or that the connection closes', () => {
  const requests: [string, string, (string | undefined)?, number?][] = [
    ['a shard', get('/json')],
    ['a shard, to HEAD', get('/json').replace('GET', 'HEAD')],
    ['a shard, without a body', get('/nothing'), undefined, 204],
    ['a handler that fails', get('/throw'), undefined, 500],
    ['no route', get('/nowhere'), undefined, 404],
    ['another method', get('/thing'), undefined, 405],
    ['OPTIONS', get('/thing').replace('GET', 'OPTIONS'), undefined, 204],
    ['a stream', get('/text'), 'streams.js'],
    ['a fixed route', get('/fixed/text'), 'scheduling-app.js'],
    ['health', get('/livez')],
  ];
  test.each(requests)('%s', async (_what, bytes, fixture = 'app.js', status = 200) => {
    running = await startServer({ shards: 1, health: true }, fixture);
    const response = await ask(bytes);
    expect([response.status, said(response)]).toEqual([status, ['keep-alive', 'timeout=65']]);
    const last = await ask(bytes.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    expect([last.status, said(last), field(last, 'date')?.length]).toEqual([status, ['close'], 29]);
    const old = await ask(
      bytes.replace('HTTP/1.1', 'HTTP/1.0').replace('\r\n\r\n', '\r\nConnection: keep-alive\r\n\r\n'),
    );
    // For HTTP/1.0, a stream ends with its connection.
    expect(said(old)).toEqual(fixture === 'streams.js' ? ['close'] : ['keep-alive', 'timeout=65']);
  });
});

test.each<[ServeOptions, string[]]>([
  [{ timeouts: { keepAliveTimeoutMs: 5_900 } }, ['keep-alive', 'timeout=5']],
  [{ limits: { maxRequestsPerConnection: 7 } }, ['keep-alive', 'timeout=65, max=7']],
  // The header cannot express less than a second.
  [{ timeouts: { keepAliveTimeoutMs: 900 } }, []],
])('with the option %j', async (options, expected) => {
  running = await startServer({ shards: 1, ...options });
  expect(said(await ask(get('/json')))).toEqual(expected);
  expect(said(await ask(get('/json', 'Connection: close')))).toEqual(['close']);
});

describe('a client that announces its last request', () => {
  test('has its connection closed with the response, without waiting for its own end', async () => {
    running = await startServer({ shards: 1, timeouts: { lingerTimeoutMs: 600_000 } });
    const { server, port } = running;
    const requests = [get('/json', 'Connection: close'), get('/json').replace('HTTP/1.1', 'HTTP/1.0')];
    for (const request of requests) {
      const client = await RawClient.open(port, { allowHalfOpen: true });
      client.write(request);
      expect((await client.response()).status).toBe(200);
      // Sooner than lingering would end because nothing arrives any more.
      const start = performance.now();
      await until(() => server.stats().connections === 0, 'the end of the connection');
      expect(performance.now() - start).toBeLessThan(1_500);
      client.destroy();
    }
  });

  test('gets its response whole, even if it sends more', async () => {
    running = await startServer({ shards: 1 });
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.open(running.port);
      client.write(get('/json', 'Connection: close') + get('/sync/1').repeat(500));
      const response = await client.response();
      expect([response.status, said(response)]).toEqual([200, ['close']]);
      await client.closed();
    }
  });

  test('gets its response whole, even if it goes on sending', async () => {
    running = await startServer({ shards: 1 });
    const pieces = Array<string>(20).fill('x'.repeat(20_000));
    const received = await readLate(running.port, [get('/later/10/late', 'Connection: close'), ...pieces], 1);
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nlate$/s);
  });

  test('gets its responses whole, even if it sends more while the server does not read', async () => {
    running = await startServer({ shards: 1 });
    const requests = get('/busy/1/a').repeat(100) + get('/sync/last', 'Connection: close');
    for (let i = 0; i < 15; i++) {
      const received = await readLate(running.port, [requests, 'x'.repeat(20_000)], 15);
      expect([received.split('HTTP/1.1 200 OK').length - 1, received.slice(-4)]).toEqual([101, 'last']);
    }
  });
});

/** Writes pieces with pauses, and reads nothing before it has written all of them. Returns what was received. */
async function readLate(port: number, pieces: string[], pauseMs: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }).pause();
  socket.on('error', () => {});
  await once(socket, 'connect');
  const closed = once(socket, 'close');
  let received = '';
  socket.on('end', () => socket.end());
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve));
    await sleep(pauseMs);
  }
  await sleep(150);
  socket.setEncoding('latin1').on('data', (text) => {
    received += text;
  });
  socket.resume();
  await closed;
  return received;
}

test('a rejection that several clients get is the same for each of them', async () => {
  const options = { shards: 1, httpThreads: 1, scheduling: { permits: 1 }, timeouts: { queueTimeoutMs: 50 } };
  running = await startServer(options);
  const busy = ask(get('/later/400/busy'));
  await untilStarted(running, 1);
  const last = get('/json', 'Connection: close');
  const responses = await Promise.all([last, last, get('/json'), last].map(ask));
  await busy;
  expect(responses.map(({ statusLine }) => statusLine)).toEqual(Array(4).fill('HTTP/1.1 503 Service Unavailable'));
  expect(responses.map(said)).toEqual([['close'], ['close'], ['keep-alive', 'timeout=65'], ['close']]);
});

test('only the connection field is replaced when the connection closes', async () => {
  running = await startServer({ shards: 1 });
  const response = await ask(get('/bad-header?name=x-connection&value=keep-alive', 'Connection: close'));
  expect([field(response, 'x-connection'), said(response), response.body.toString()]).toEqual([
    'keep-alive',
    ['close'],
    'sent',
  ]);
});
