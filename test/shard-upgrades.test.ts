import { BroadcastChannel } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createApp } from 'loopshard';
import { get, post, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

const OFFER = ['Connection: Upgrade', 'Upgrade: shout'];
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n';

let running: TestServer;
let client: RawClient;
const heard: string[] = [];
const channel = new BroadcastChannel('upgrades');
channel.onmessage = (event) => void heard.push((event as { data: string }).data);

beforeAll(async () => {
  running = await startServer({ shards: 2, timeouts: { keepAliveTimeoutMs: 300 } }, 'upgrades.js');
});

beforeEach(async () => {
  heard.length = 0;
  client = await RawClient.open(running.port, { allowHalfOpen: true });
});

afterEach(async () => {
  client.destroy();
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await until(() => running.server.stats().shards.every(({ streams }) => streams === 0), 'the end of all upgrades');
  await expectConserved(running);
});

afterAll(async () => {
  channel.close();
  await running.server.close();
});

const hears = (what: string) => until(() => heard.includes(what), `"${what}" among ${heard}`);
const receives = (text: string) => until(() => client.pending.toString().includes(text), `"${text}"`);

async function upgrade(target: string, ...fields: string[]): Promise<void> {
  client.write(get(target, ...OFFER, ...fields));
  await receives('\r\n\r\n');
  expect(client.pending.toString()).toContain(SWITCHING);
  client.skip(SWITCHING.length);
}

test('a handler gets the request, the connection and the bytes after the request', async () => {
  client.write(`${get('/request/a%20b?c=1', ...OFFER, 'X-A: 1', 'x-a: 2', 'Cookie: a', 'Cookie: b', 'X-Empty:')}early`);
  await client.closed();
  const seen = JSON.parse(client.pending.toString().slice(SWITCHING.length));
  expect(seen).toMatchObject({
    method: 'GET',
    url: '/request/a%20b?c=1',
    params: { name: 'a b' },
    httpVersion: '1.1',
    upgrade: true,
    complete: true,
    own: true,
    head: 'early',
    remoteAddress: '127.0.0.1',
    remotePort: client.socket.localPort,
    remoteFamily: 'IPv4',
    encrypted: false,
  });
  expect(seen.headers).toMatchObject({ upgrade: 'shout', 'x-a': '1, 2', cookie: 'a; b', 'x-empty': '' });
  expect(seen.rawHeaders.slice(0, 4)).toEqual(['Host', 'localhost', 'Connection', 'Upgrade']);
});

test.each([1, 7, 64])('bytes of the other protocol follow pending responses, in pieces of %i', async (size) => {
  const bytes = `${get('/later/30/first')}${get('/plain')}${get('/shout', ...OFFER)}behind`;
  for (const piece of bytes.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g'))!) await client.send(piece);
  expect((await client.response()).body.toString()).toBe('first');
  expect((await client.response()).body.toString()).toBe('plain');
  await receives('BEHIND');
  client.socket.end();
  await client.closed();
  expect(client.pending.toString()).toBe(`${SWITCHING}BEHIND`);
});

test('a head of any size arrives: what does not fit the slot follows as data', async () => {
  const large = 'abcdefgh'.repeat(10_000);
  client.write(`${get('/shout', ...OFFER)}${large}`);
  await until(() => client.pending.length === SWITCHING.length + large.length, 'all of it');
  expect(client.pending.toString('latin1', SWITCHING.length) === large.toUpperCase()).toBe(true);
});

test('a request whose head is larger than a slot can be upgraded', async () => {
  await upgrade('/shout', `X-Large: ${'x'.repeat(12_000)}`);
  client.write('hello');
  await receives('HELLO');
});

test('HTTP timeouts do not end an upgraded connection, and large data can be sent both ways', async () => {
  await upgrade('/echo');
  const since = performance.now();
  await until(() => performance.now() - since > 1_000, 'the keep-alive timeout of other connections');
  const large = Buffer.alloc(10_000_000);
  for (let i = 0; i < large.length; i += 4) large.writeUInt32LE(i, i);
  client.write(large);
  await until(() => client.pending.length >= large.length, 'all data');
  expect(client.pending.equals(large)).toBe(true);
  client.socket.end();
  await client.closed();
});

test('a handler that does not read makes the client wait', async () => {
  await upgrade('/unread/a');
  const bytes = 40_000_000;
  client.write(Buffer.alloc(bytes));
  await until(() => client.socket.writableLength > 0, 'the client to be held back');
  const before = client.socket.writableLength;
  channel.postMessage('a');
  await until(() => client.socket.writableLength < before, 'the client to go on');
  const had = heard.find((text) => text.startsWith('a had'))!;
  expect(Number(had.split(' ').at(-1))).toBeLessThan(400_000);
  client.socket.end();
  await hears(`a read ${bytes}`);
  await hears('a close');
});

test('a client that does not read makes the handler wait', async () => {
  client.socket.pause();
  const bytes = 40_000_000;
  client.write(get(`/flood/b/${bytes}`, ...OFFER));
  await until(() => heard.some((text) => text.startsWith('b left')), 'the handler to wait');
  let last = 0;
  let since = performance.now();
  await until(() => {
    if (heard.length !== last) {
      last = heard.length;
      since = performance.now();
    }
    return performance.now() - since > 200;
  }, 'the handler to stop');
  const left = Number(
    heard
      .findLast((text) => text.startsWith('b left'))!
      .split(' ')
      .at(-1),
  );
  expect(left).toBeGreaterThan(bytes / 4);
  client.socket.resume();
  let received = 0;
  client.socket.on('data', (chunk) => {
    received += chunk.length;
  });
  await client.closed();
  expect(received).toBeGreaterThanOrEqual(bytes);
  expect(heard).toContain('b drain');
  client.socket.end();
  await hears('b close');
});

test('each side can end on its own', async () => {
  client.write(get('/half/c', ...OFFER));
  await client.closed();
  expect(client.pending.toString()).toBe(`${SWITCHING}bye`);
  expect(running.server.stats().connections).toBe(1);
  await client.send('still ');
  client.socket.end('here');
  await hears('c read still here');
  await hears('c close');
});

test('the end of the client is noticed by a handler that neither reads nor writes', async () => {
  client.write(get('/silent/d', ...OFFER));
  await hears('d open');
  await until(() => running.server.stats().shards.some(({ upgrades }) => upgrades === 1), 'the upgrade');
  client.socket.end();
  await hears('d end');
  client.socket.resetAndDestroy();
  // After its end, a client that vanishes is noticed by a write, as on node:http.
  channel.postMessage('d');
  await hears('d close');
});

test('a client that resets the connection closes the socket', async () => {
  await upgrade('/shout/e');
  client.socket.resetAndDestroy();
  await hears('/shout/e close');
  expect(heard).toContain('/shout/e error ECONNRESET');
});

test.each([
  ['destroy', 401],
  ['end', 404],
  ['later', 403],
])('a handler may reject the upgrade: %s', async (how, status) => {
  client.write(get(`/refuse/${how}`, ...OFFER));
  expect((await client.response()).status).toBe(status);
  await client.closed();
  client.socket.end();
});

test('middleware may reject the upgrade; the connection continues with HTTP', async () => {
  client.write(`${get('/private/shout', ...OFFER)}${get('/plain')}`);
  expect((await client.response()).status).toBe(401);
  expect((await client.response()).body.toString()).toBe('plain');
  await upgrade('/private/shout', 'X-Auth: me');
  client.write('hello');
  await receives('HELLO');
});

test('while the handler has not accepted, what the client sends waits at the client', async () => {
  client.write(get('/slow/g/count', ...OFFER));
  await hears('g waits');
  const blocks = 600;
  for (let i = 0; i < blocks; i++) client.write(Buffer.alloc(65_536));
  let last = -1;
  let since = performance.now();
  await until(() => {
    const { writableLength } = client.socket;
    if (writableLength !== last) since = performance.now();
    last = writableLength;
    return performance.now() - since > 1_000;
  }, 'the client to be held back');
  // The rest fits the buffers of the kernel.
  expect(last).toBeGreaterThan((blocks * 65_536) / 2);
  client.socket.end();
  channel.postMessage('g');
  await client.closed();
  expect(client.pending.toString()).toBe(`${SWITCHING}${blocks * 65_536}`);
});

test('a client that vanishes while its upgrade waits leaves nothing behind', async () => {
  client.write(get('/slow/h', ...OFFER));
  await hears('h waits');
  client.socket.resetAndDestroy();
  await until(() => running.server.stats().connections === 0, 'the end of the connection');
  channel.postMessage('h');
});

test.each(['', 'early'])('a client that ends its side while its upgrade waits is upgraded: "%s"', async (data) => {
  client.write(`${get('/slow/i', ...OFFER)}${data}`);
  await hears('i waits');
  client.socket.end();
  channel.postMessage('i');
  await client.closed();
  expect(client.pending.toString()).toBe(SWITCHING + data.toUpperCase());
});

test('a client that ends its side while its upgrade waits gets the response of the middleware that rejects it', async () => {
  client.write(`${get('/later/30/first')}${get('/private/shout', ...OFFER)}`);
  client.socket.end();
  expect((await client.response()).body.toString()).toBe('first');
  expect((await client.response()).status).toBe(401);
  await client.closed();
});

test('a handler that blocks for longer than its timeout gets no connection, and HTTP continues', async () => {
  client.write(get('/late', ...OFFER));
  expect((await client.response()).status).toBe(504);
  client.write(get('/plain'));
  expect((await client.response()).body.toString()).toBe('plain');
});

test.each([1, 40, 400])('what was written %i times before the socket is destroyed is sent', async (count) => {
  client.write(get(`/destroyed/${count}`, ...OFFER));
  await client.closed();
  const text = Array.from({ length: count }, (_, i) => `${i % 10}`.repeat(10)).join('');
  expect(client.pending.toString('latin1', SWITCHING.length)).toBe(text);
});

test('a client that expects 100 Continue, but sends no body, is upgraded', async () => {
  client.write(get('/shout', ...OFFER, 'Expect: 100-continue'));
  await receives('upgrade: shout\r\n\r\n');
  expect(client.pending.toString()).toBe(SWITCHING);
});

test('an offer of a protocol that the route does not accept is an ordinary request', async () => {
  const fields = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'];
  client.write(`${get('/shout', ...fields)}${get('/plain')}`);
  expect((await client.response()).body.toString()).toBe('no upgrade');
  expect((await client.response()).body.toString()).toBe('plain');
  client.write(get('/shout', 'Connection: upgrade', 'Upgrade: h2c, SHOUT/1'));
  await receives(SWITCHING);
});

test('a handler may respond with a stream, and learns of the end of the client', async () => {
  client.write(`${get('/streamed/j', ...OFFER)}${get('/plain')}`);
  await receives('streamed');
  expect(client.pending.toString()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  client.socket.resetAndDestroy();
  await hears('j ended');
});

test('routes of upgrades and others do not interfere', async () => {
  client.write(get('/shout'));
  expect((await client.response()).body.toString()).toBe('no upgrade');
  client.write(`${get('/plain', ...OFFER)}${get('/thread', ...OFFER)}${get('/shout/x')}`);
  expect((await client.response()).body.toString()).toBe('plain');
  expect((await client.response()).status).toBe(200);
  expect((await client.response()).status).toBe(404);
  client.write(get('/shout', 'Connection: keep-alive', 'Upgrade: shout'));
  expect((await client.response()).body.toString()).toBe('no upgrade');
});

test('with a body, with another method, or under HTTP/1.0 it is an ordinary request', async () => {
  client.write(post('/echo', 'a body', ...OFFER));
  expect((await client.response()).body.toString()).toBe('a body');
  client.write(post('/shout', '', ...OFFER));
  expect((await client.response()).status).toBe(405);
  client.write(`GET /shout HTTP/1.0\r\nConnection: Upgrade, keep-alive\r\nUpgrade: shout\r\n\r\n`);
  expect((await client.response()).body.toString()).toBe('no upgrade');
});

test.each(['throws', 'rejects'])('a handler that %s is logged, and its connection is closed', async (how) => {
  running.logged.length = 0;
  client.write(get(`/fails/${how}`, ...OFFER));
  await client.closed();
  expect(running.logged).toMatchObject([{ level: 'error', details: { err: { message: how } } }]);
});

test.each([
  ['/fails/soon', 'HTTP/1.1 500 Internal Server Error'],
  ['/fails/later', SWITCHING],
])('an exception that nobody catches ends only its connection: %s', async (target, received) => {
  const own = await startServer({ shards: 1, recovery: { onUncaught: 'continue' } }, 'upgrades.js');
  const other = await RawClient.open(own.port);
  other.write(get('/shout', ...OFFER));
  await until(() => other.pending.length === SWITCHING.length, 'the other upgrade');
  const failing = await RawClient.open(own.port);
  failing.write(get(target, ...OFFER));
  await until(() => failing.pending.includes('\r\n\r\n'), 'a response');
  expect(failing.pending.toString()).toContain(received);
  if (received === SWITCHING) {
    failing.write('data');
    await failing.closed();
  }
  other.write('still here');
  await until(() => other.pending.includes('STILL HERE'), 'the other one');
  failing.destroy();
  other.destroy();
  await until(() => own.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(own);
  expect(own.logged.map(({ level }) => level)).toEqual(['error']);
  await own.server.close();
});

test('an idle socket emits `timeout`', async () => {
  await upgrade('/idle/f/50');
  await receives('idle');
  expect(heard).toContain('f timeout');
  client.socket.end();
  await hears('f close');
});

test('upgraded connections are counted, and hold neither a slot nor a permit', async () => {
  await upgrade('/shout');
  await until(() => running.server.stats().outstanding === 0, 'the return of the slot');
  const { slots, shards } = running.server.stats();
  expect(slots.free).toBe(slots.total);
  expect(shards.reduce((sum, { upgrades }) => sum + upgrades, 0)).toBe(1);
  expect(shards.reduce((sum, { streams }) => sum + streams, 0)).toBe(1);
  expect(shards.every(({ permits }) => permits.available === permits.limit)).toBe(true);
});

test('an upgraded connection counts towards the maxConcurrency of its route', async () => {
  await upgrade('/limited');
  const second = await RawClient.open(running.port);
  second.write(get('/limited', ...OFFER));
  await until(() => running.server.stats().routes[0].waiting === 1, 'the second one to wait');
  expect(running.server.stats().routes[0].route).toBe('upgrade /limited');
  client.destroy();
  await until(() => second.pending.length === SWITCHING.length, 'the second one');
  second.destroy();
});

test('upgrades are dispatched by the key of their route', async () => {
  const threads = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const one = await RawClient.open(running.port);
      one.write(get('/key/same', ...OFFER));
      await one.closed();
      return one.pending.toString().slice(SWITCHING.length);
    }),
  );
  expect(new Set(threads).size).toBe(1);
});

test('connections are spread over the shards, however light the load', async () => {
  const clients = [];
  for (let i = 0; i < 20; i++) {
    const one = await RawClient.open(running.port);
    clients.push(one);
    one.write(get('/shout', ...OFFER));
    await until(() => one.pending.length === SWITCHING.length, 'the upgrade');
  }
  const counts = running.server.stats().shards.map(({ upgrades }) => upgrades);
  for (const one of clients) one.destroy();
  // A shard that is awake may take a request from the queue of another one.
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(8);
});

test.each([[[]], ['shout'], [[7]], [['a b']]])('the protocols %j are rejected', (protocols) => {
  const app = createApp();
  expect(() => app.upgrade('/x', { protocols: protocols as string[] }, () => {})).toThrow(
    expect.objectContaining({ code: 'ROUTE_INVALID', message: expect.stringContaining('`upgrade /x`') }),
  );
});
