import { afterEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { Patience, Schedule } from '../build/src/http/socket/patience.js';
import { field, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;

afterEach(async () => {
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(running);
  await running.server.close();
});

const TIMEOUT_MS = 300;
/** How late a timeout may fire, on a machine that others use too. */
const SLACK_MS = 4_000;

async function start(options: ServeOptions): Promise<RawClient> {
  running = await startServer({ shards: 1, ...options });
  return RawClient.open(running.port);
}

/** Expects that the server closes the connection after the timeout, in milliseconds. */
async function expectEnd(client: RawClient, since: number): Promise<void> {
  await client.closed();
  const took = performance.now() - since;
  // Timers and this clock may differ by a millisecond.
  expect(took).toBeGreaterThan(TIMEOUT_MS - 2);
  expect(took).toBeLessThan(TIMEOUT_MS + SLACK_MS);
  client.destroy();
}

/** Sends a byte now and then, so that the connection is never idle, until the server closes it. */
async function trickle(client: RawClient, byte: string): Promise<void> {
  while (!client.ended) {
    client.write(byte);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('an incomplete request gets 408', () => {
  test('in its head, however steadily its bytes arrive', async () => {
    const client = await start({ timeouts: { headersTimeoutMs: TIMEOUT_MS } });
    const since = performance.now();
    client.write('GET /json HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const sending = trickle(client, 'a');
    const response = await client.response();
    expect([response.status, field(response, 'connection')]).toEqual([408, 'close']);
    expect(JSON.parse(response.body.toString()).code).toBe('REQUEST_TIMEOUT');
    await expectEnd(client, since);
    await sending;
  });

  test('in its body', async () => {
    const client = await start({ timeouts: { requestTimeoutMs: TIMEOUT_MS } });
    const since = performance.now();
    client.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n');
    const sending = trickle(client, 'a');
    expect((await client.response()).status).toBe(408);
    await expectEnd(client, since);
    await sending;
  });

  test('after a pending response', async () => {
    const client = await start({ timeouts: { headersTimeoutMs: TIMEOUT_MS } });
    client.write(`${get('/later/600/late')}GET /json`);
    expect((await client.response()).body.toString()).toBe('late');
    expect((await client.response()).status).toBe(408);
    await client.closed();
    client.destroy();
  });

  test('but not because of the time that the server takes', async () => {
    const client = await start({
      timeouts: { headersTimeoutMs: 50, requestTimeoutMs: 50, keepAliveTimeoutMs: 50, sendTimeoutMs: 50 },
    });
    client.write(get('/later/400/late'));
    expect((await client.response()).body.toString()).toBe('late');
    await client.closed();
    client.destroy();
  });

  test('but not while it waits for 100 Continue behind a response', async () => {
    const client = await start({ timeouts: { requestTimeoutMs: TIMEOUT_MS } });
    const expecting = 'POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n';
    client.write(get('/later/800/late') + expecting);
    expect((await client.response()).body.toString()).toBe('late');
    expect((await client.response()).status).toBe(100);
    client.write('ok');
    expect((await client.response()).body.toString()).toBe('ok');
    client.destroy();
  });
});

describe('a connection without a request is closed without a response', () => {
  test('after keepAliveTimeoutMs', async () => {
    const client = await start({ timeouts: { keepAliveTimeoutMs: TIMEOUT_MS } });
    client.write(get('/json'));
    expect((await client.response()).status).toBe(200);
    await expectEnd(client, performance.now());
    expect(client.pending.length).toBe(0);
  });

  test('after headersTimeoutMs if it is new', async () => {
    const since = performance.now();
    const client = await start({ timeouts: { headersTimeoutMs: TIMEOUT_MS } });
    client.write('\r\n');
    await client.closed();
    expect(performance.now() - since).toBeGreaterThan(TIMEOUT_MS - 2);
    expect(client.pending.length).toBe(0);
    client.destroy();
  });

  test('but not while requests arrive', async () => {
    const client = await start({ timeouts: { keepAliveTimeoutMs: TIMEOUT_MS } });
    const end = performance.now() + 3 * TIMEOUT_MS;
    for (let i = 0; performance.now() < end; i++) {
      client.write(get(`/later/20/${i}`));
      expect((await client.response()).body.toString()).toBe(String(i));
    }
    client.destroy();
  });
});

test('a client that does not read its response is dropped after sendTimeoutMs', async () => {
  const client = await start({ timeouts: { sendTimeoutMs: TIMEOUT_MS } });
  client.socket.pause();
  client.write(get('/large/20000000'));
  await until(() => running.server.stats().slots.free < running.server.stats().slots.total, 'the request');
  const since = performance.now();
  await until(() => running.server.stats().connections === 0, 'the end of the connection');
  expect(performance.now() - since).toBeLessThan(TIMEOUT_MS + SLACK_MS);
  client.destroy();
});

test('a client that reads its response slowly gets all of it', async () => {
  // Longer than the client needs until the kernel announces a new window, but shorter than the complete download.
  const client = await start({ timeouts: { sendTimeoutMs: 1_000 } });
  const bytes = 20_000_000;
  client.write(get(`/large/${bytes}`));
  let taken = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (chunk) => {
    taken += chunk.length;
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 10);
  });
  await until(() => taken > bytes || client.ended, 'the whole response');
  expect(client.ended).toBe(false);
  client.destroy();
});

/** Sends the body of a request that gets an early response, 413 or from its handler, and reads only then. */
test.each([
  ['app.js', '/echo', 413],
  ['uploads.js', '/ignore', 200],
])('a slow client reads the early response after its upload (%s)', async (fixture, target, status) => {
  running = await startServer({ shards: 1 }, fixture);
  const client = await RawClient.open(running.port, { allowHalfOpen: true });
  let failure: Error | undefined;
  client.socket.on('error', (error) => {
    failure = error;
  });
  client.socket.pause();
  const piece = Buffer.alloc(65_536);
  const pieces = 45;
  client.write(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${pieces * piece.length}\r\n\r\n`);
  // Takes longer than a silent client may stay, but never pauses for that long.
  for (let i = 0; i < pieces; i++) {
    await client.send(piece);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  client.socket.resume();
  expect((await client.response()).status).toBe(status);
  await client.closed();
  expect(failure).toBeUndefined();
  client.destroy();
});

test('up to 64 MiB that a client sends after its last response are discarded', async () => {
  const client = await start({});
  client.socket.allowHalfOpen = true;
  client.write('BAD\r\n\r\n');
  expect((await client.response()).status).toBe(400);
  const piece = Buffer.alloc(1_048_576);
  let taken = 0;
  while (!client.socket.destroyed) {
    client.socket.write(piece, (error) => {
      if (!error) taken++;
    });
    await until(() => client.socket.destroyed || client.socket.writableLength === 0, 'room');
  }
  expect(taken).toBeGreaterThanOrEqual(64);
  expect(taken).toBeLessThan(96);
});

test('a client that keeps sending after its last response is dropped after lingerTimeoutMs', async () => {
  const client = await start({ timeouts: { lingerTimeoutMs: 1_000 } });
  client.write('BAD\r\n\r\n');
  expect((await client.response()).status).toBe(400);
  let closed = false;
  client.socket.on('close', () => {
    closed = true;
  });
  client.socket.allowHalfOpen = true;
  while (!closed) {
    client.write('a');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

test('no timeout fires early, or more than a second late', () => {
  for (const timeout of [1, 5, 100, 999, 2_000, 10_000, 65_000]) {
    const given = { headersTimeoutMs: timeout, requestTimeoutMs: timeout, keepAliveTimeoutMs: timeout };
    const { intervalMs, looks } = new Schedule({ ...given, sendTimeoutMs: 30_000, lingerTimeoutMs: 30_000 });
    // The wait begins right after a check, or right before one.
    for (const begun of [0.01, intervalMs - 0.01]) {
      const patience = new Patience();
      let elapsed = intervalMs - begun;
      while (patience.look(0, 1, 0, 0, looks) === 'none') elapsed += intervalMs;
      expect(elapsed).toBeGreaterThanOrEqual(timeout);
      expect(elapsed - timeout).toBeLessThanOrEqual(SLACK_MS);
    }
  }
});
