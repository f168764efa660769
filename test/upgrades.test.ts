import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { UpgradeRequest } from 'loopshard';
import { get, post, RawClient } from './support/client.js';
import { startWatched, watchParsers } from './support/disconnects.js';
import { expectConserved, type TestServer, until } from './support/server.js';

const parsers = watchParsers();
let running: TestServer;
let client: RawClient;

beforeEach(async () => {
  running = await startWatched({ shards: 1, timeouts: { keepAliveTimeoutMs: 200, closeTimeoutMs: 300 } });
  client = await RawClient.open(running.port);
});

afterEach(async () => {
  client.destroy();
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(running);
  expect([...parsers].reduce((sum, { open }) => sum + open, 0)).toBe(0);
  await running.server.close();
});

const SHOUT = { protocols: ['shout'] };
const OFFER = ['Connection: Upgrade', 'Upgrade: shout'];
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n';

/** Sends back everything in capitals. */
function shout(_request: UpgradeRequest, socket: Duplex, head: Buffer): void {
  socket.write(SWITCHING);
  socket.write(head.toString().toUpperCase());
  socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
  socket.on('end', () => socket.end());
}

test('the listener gets the request, the connection and the bytes after the request', async () => {
  let seen: UpgradeRequest | undefined;
  running.server.onUpgrade((request, socket, head) => {
    seen = request;
    shout(request, socket, head);
  }, SHOUT);
  client.write(`${get('/chat?a=1', ...OFFER, 'X-A: 1', 'x-a: 2', 'Cookie: a', 'Cookie: b', 'X-Empty:')}early `);
  await until(() => client.pending.includes('EARLY'), 'the first bytes');
  client.write('late');
  await until(() => client.pending.toString() === `${SWITCHING}EARLY LATE`, 'the later bytes');
  expect(seen).toMatchObject({ method: 'GET', url: '/chat?a=1', httpVersion: '1.1' });
  expect({ ...seen?.headers }).toEqual({
    host: 'localhost',
    connection: 'Upgrade',
    upgrade: 'shout',
    'x-a': '1, 2',
    cookie: 'a; b',
    'x-empty': '',
  });
  expect(seen?.rawHeaders.slice(0, 4)).toEqual(['Host', 'localhost', 'Connection', 'Upgrade']);
});

test('the listener is called after pending responses, wherever the bytes are split', async () => {
  running.server.onUpgrade(shout, SHOUT);
  const bytes = `${get('/later/60/first')}${get('/json')}${get('/x', ...OFFER)}behind`;
  for (const piece of bytes.match(/[\s\S]{1,7}/g)!) {
    await client.send(piece);
    await new Promise(setImmediate);
  }
  expect((await client.response()).body.toString()).toBe('first');
  expect((await client.response()).status).toBe(200);
  await until(() => client.pending.toString() === `${SWITCHING}BEHIND`, 'the switch');
});

test('HTTP timeouts do not end an upgraded connection, and large data can be sent both ways', async () => {
  running.server.onUpgrade(shout, SHOUT);
  client.write(get('/x', ...OFFER));
  await until(() => client.pending.length === SWITCHING.length, 'the switch');
  const since = performance.now();
  await until(() => performance.now() - since > 700, 'the keep-alive timeout of other connections');
  const large = 'abcdefgh'.repeat(250_000);
  client.write(large);
  await until(() => client.pending.length === SWITCHING.length + large.length, 'all data');
  expect(client.pending.subarray(SWITCHING.length).toString() === large.toUpperCase()).toBe(true);
  client.socket.end();
  await client.closed();
});

test('a listener that does not read makes the client wait', async () => {
  let taken: Duplex | undefined;
  running.server.onUpgrade((_request, socket) => {
    taken = socket;
  }, SHOUT);
  client.write(get('/x', ...OFFER));
  await until(() => taken !== undefined, 'the switch');
  const bytes = 40_000_000;
  client.write(Buffer.alloc(bytes));
  await until(() => client.socket.writableLength > 0, 'the client to be held back');
  expect(taken!.readableLength).toBeLessThan(1_000_000);
  let received = 0;
  taken!.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await until(() => received === bytes, 'all data');
});

test('a client that disconnects closes the stream', async () => {
  let taken: Duplex | undefined;
  running.server.onUpgrade((_request, socket) => {
    taken = socket.resume();
  }, SHOUT);
  client.write(get('/x', ...OFFER));
  await until(() => taken !== undefined, 'the switch');
  client.socket.resetAndDestroy();
  await once(taken!, 'close');
});

test('a listener may reject an upgrade without reading', async () => {
  running.server.onUpgrade((_request, socket) => {
    socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  }, SHOUT);
  client.write(get('/x', ...OFFER));
  expect((await client.response()).status).toBe(404);
  client.socket.end();
  await until(() => running.server.stats().connections === 0, 'the end of the connection');
});

test('an error of a listener is logged, and the connection is closed', async () => {
  running.server.onUpgrade(() => {
    throw new Error('on purpose');
  }, SHOUT);
  client.write(get('/x', ...OFFER));
  await client.closed();
  expect(running.logged).toMatchObject([{ level: 'error', message: 'the listener of onUpgrade threw' }]);
});

test.each(['h2c', 'shouting', 'whisper, h2c/1', 'TLS/1.0'])(
  'an offer of only %s gets a plain HTTP response',
  async (offer) => {
    running.server.onUpgrade(shout, SHOUT);
    client.write(get('/json', 'Connection: Upgrade, HTTP2-Settings', `Upgrade: ${offer}`, 'HTTP2-Settings: AAMAAABk'));
    expect((await client.response()).status).toBe(200);
    client.write(get('/x', 'Connection: Upgrade', 'Upgrade: h2c', 'Upgrade: whisper/2, SHOUT/1'));
    await until(() => client.pending.length === SWITCHING.length, 'the switch');
  },
);

test('by default, a listener gets WebSocket upgrades', async () => {
  running.server.onUpgrade(shout);
  client.write(get('/json', ...OFFER));
  expect((await client.response()).status).toBe(200);
  client.write(get('/x', 'Connection: Upgrade', 'Upgrade: WebSocket'));
  await until(() => client.pending.length === SWITCHING.length, 'the switch');
});

test.each([[], 'shout', ['a b'], [1]])('protocols %j are rejected', (protocols) => {
  const call = () => running.server.onUpgrade(shout, { protocols: protocols as string[] });
  expect(call).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
});

test('later errors of a listener affect only its own connection', async () => {
  const failures = ['rejects', 'throws on data', 'writes after the reset'];
  let closes = 0;
  running.server.onUpgrade(async ({ url }, socket) => {
    socket.on('close', () => closes++);
    socket.write(SWITCHING);
    if (url === '/0') throw new Error(failures[0]);
    if (url === '/1') {
      socket.on('data', () => {
        throw new Error(failures[1]);
      });
    } else {
      const writing = setInterval(() => socket.write('on and on'), 1);
      socket.resume().on('close', () => clearInterval(writing));
    }
  }, SHOUT);
  for (const [i] of failures.entries()) {
    const victim = await RawClient.open(running.port);
    victim.write(get(`/${i}`, ...OFFER));
    await until(() => victim.pending.length >= SWITCHING.length || victim.ended, 'the switch');
    victim.write('some data');
    if (i === 2) victim.socket.resetAndDestroy();
    await victim.closed();
    victim.destroy();
  }
  await until(() => closes === 3, 'the end of all three connections');
  expect(running.logged.map(({ details }) => details.err?.message)).toEqual(failures.slice(0, 2));
  client.write(get('/json'));
  expect((await client.response()).status).toBe(200);
});

test('without a listener, with a body, or under HTTP/1.0 it is an ordinary request', async () => {
  client.write(get('/json', ...OFFER));
  expect((await client.response()).status).toBe(200);
  running.server.onUpgrade(shout, SHOUT);
  client.write(post('/echo', 'a body', ...OFFER));
  expect((await client.response()).body.toString()).toBe('a body');
  client.write(
    `GET /json HTTP/1.0\r\n${OFFER.join('\r\n')}, keep-alive\r\n\r\n`.replace('Upgrade\r\n', 'Upgrade, keep-alive\r\n'),
  );
  expect((await client.response()).status).toBe(200);
});

test('close() waits for upgraded connections until closeTimeoutMs, then drops them', async () => {
  running.server.onUpgrade(shout, SHOUT);
  client.write(get('/x', ...OFFER));
  await until(() => client.pending.length === SWITCHING.length, 'the switch');
  const since = performance.now();
  await Promise.all([running.server.close(), client.closed()]);
  expect(performance.now() - since).toBeGreaterThan(290);
});
