import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import type { ClientOptions } from 'ws';
import { startHttpThreads } from '../support/http-threads.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';
import { WebSocketClient } from '../support/websockets.js';

/* WebSockets on shards while clients are slow or vanish, and while shards and servers end. */
const BLOCK_BYTES = 65_536;

let running: TestServer;
let heard: string[];
let channel: BroadcastChannel;
const clients: WebSocketClient[] = [];

beforeEach(() => {
  heard = [];
  channel = new BroadcastChannel('websockets');
  channel.onmessage = (event) => void heard.push((event as { data: string }).data);
});

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.terminate();
  channel.close();
  await running.server.close();
});

const hears = (what: string) => until(() => heard.some((text) => text.startsWith(what)), `"${what}" among ${heard}`);

async function start(options: ServeOptions = {}, fixture = 'ws.js'): Promise<void> {
  running = await startServer({ shards: 2, ...options }, `websockets/${fixture}`);
}

async function open(port = running.port, scheme = 'ws', options: ClientOptions = {}): Promise<WebSocketClient> {
  const client = await WebSocketClient.open(`${scheme}://127.0.0.1:${port}/echo`, [], options);
  clients.push(client);
  return client;
}

/** Opens WebSockets until there is one on each of two shards. */
async function openOnBoth(): Promise<[WebSocketClient, WebSocketClient]> {
  const first = await open();
  const thread = await first.ask('thread');
  for (;;) {
    const second = await open();
    if ((await second.ask('thread')) !== thread) return [first, second];
  }
}

async function expectNone(): Promise<void> {
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(running);
}

describe('slow sides', () => {
  test('what a client does not read waits on its shard', async () => {
    await start();
    const client = await open();
    const flooded = 400;
    client.socket.pause();
    client.send(`flood ${flooded}`);
    await hears('buffered');
    const buffered = Number(heard[0].split(' ')[1]);
    // The kernel's buffers and the window hold the rest.
    expect(buffered).toBeGreaterThan((flooded * BLOCK_BYTES) / 2);
    client.socket.resume();
    for (let i = 0; i < flooded; i++) expect((await client.next()).length).toBe(BLOCK_BYTES);
    expect(await client.ask('after')).toBe('after');
  });

  test('what a handler does not read waits at the client', async () => {
    await start();
    const client = await open();
    client.send('pause');
    await hears('paused');
    const blocks = 400;
    for (let i = 0; i < blocks; i++) client.socket.send(Buffer.alloc(BLOCK_BYTES), { compress: false });
    let last = -1;
    let since = performance.now();
    await until(() => {
      const { bufferedAmount } = client.socket;
      if (bufferedAmount !== last) since = performance.now();
      last = bufferedAmount;
      return performance.now() - since > 1_000;
    }, 'the client to be held back');
    expect(client.socket.bufferedAmount).toBeGreaterThan((blocks * BLOCK_BYTES) / 2);
    channel.postMessage('resume');
    expect(await client.ask('count')).toBe(`counted ${blocks * BLOCK_BYTES}`);
  });

  test('a client that reads nothing delays no other client', async () => {
    await start({ shards: 1 });
    const [slow, quick] = [await open(), await open()];
    slow.socket.pause();
    slow.send('flood 400');
    await hears('buffered');
    for (let i = 0; i < 100; i++) expect(await quick.ask(`${i}`)).toBe(`${i}`);
  });
});

describe('ends', () => {
  test.each(['terminated', 'reset'])(
    'a client whose connection is %s closes the WebSocket on its shard',
    async (how) => {
      await start();
      const client = await open();
      await client.ask('hello');
      if (how === 'terminated') client.socket.terminate();
      else (client.socket as unknown as { _socket: { resetAndDestroy(): void } })._socket.resetAndDestroy();
      await hears('closed 1006');
      await expectNone();
    },
  );

  test('when a shard ends, its WebSockets end, and those of other shards go on', async () => {
    await start();
    const [first, second] = await openOnBoth();
    const closed = first.closed();
    first.send('exit');
    expect((await closed)[0]).toBe(1006);
    expect(await second.ask('still here')).toBe('still here');
    const third = await open();
    expect(await third.ask('new')).toBe('new');
  });

  test('a shard with an uncaught exception is replaced, and its WebSockets are closed as the app says', async () => {
    await start();
    const [first, second] = await openOnBoth();
    const thread = await first.ask('thread');
    let neighbour = await open();
    while ((await neighbour.ask('thread')) !== thread) neighbour = await open();
    const closed = [first.closed(), neighbour.closed()];
    first.send('throw');
    expect((await closed[0])[0]).toBe(1006);
    expect(await closed[1]).toEqual([1001, 'the server is closing']);
    expect(await second.ask('still here')).toBe('still here');
    expect(await (await open()).ask('new')).toBe('new');
  });

  test('with `onUncaught: continue`, only the WebSocket whose handler threw is closed', async () => {
    await start({ shards: 1, recovery: { onUncaught: 'continue' } });
    const [first, second] = [await open(), await open()];
    const closed = first.closed();
    first.send('throw');
    expect((await closed)[0]).toBe(1006);
    expect(await second.ask('still here')).toBe('still here');
    expect(running.server.stats().shards[0].upgrades).toBe(1);
  });

  test('server.close() closes WebSockets as the app says', async () => {
    await start();
    const [first, second] = await openOnBoth();
    const closed = [first.closed(), second.closed()];
    await running.server.close();
    expect(await Promise.all(closed)).toEqual(Array(2).fill([1001, 'the server is closing']));
  });

  test('server.close() ends WebSockets that the app does not close, within closeTimeoutMs', async () => {
    await start({ timeouts: { closeTimeoutMs: 1_000 } }, 'http-server.js');
    const client = await open();
    const closed = client.closed();
    await running.server.close();
    expect((await closed)[0]).toBe(1006);
    expect(running.server.state).toBe('closed');
  });

  test('a reload closes the WebSockets of the old shards; new ones are opened by the new code', async () => {
    await start();
    const before = await open();
    const thread = await before.ask('thread');
    const closed = before.closed();
    await running.server.reload();
    const after = await open();
    expect(await after.ask('thread')).not.toBe(thread);
    expect(await closed).toEqual([1001, 'the server is closing']);
    expect(await after.ask('hello')).toBe('hello');
  });
});

describe.each([
  ['ws.js', '/echo'],
  ['http-server.js', '/echo'],
  ['fastify.js', '/echo'],
  ['mounted.js', '/live/echo'],
])('without shards, the WebSockets of %s', (fixture, path) => {
  /** A module is loaded once by its URL, and a closed app of Fastify stays closed. */
  let loads = 0;

  beforeEach(() => start({ shards: 0, timeouts: { closeTimeoutMs: 1_000 } }, `${fixture}?${loads++}`));

  const open = async () => {
    const client = await WebSocketClient.open(`ws://127.0.0.1:${running.port}${path}`);
    clients.push(client);
    return client;
  };

  test('are sent text and binary messages of any size, both ways', async () => {
    const [first, second] = [await open(), await open()];
    expect(await first.ask('hello')).toBe('hello');
    for (const bytes of [0, 1, 70_000, 1_000_000]) {
      const message = Buffer.alloc(bytes, 'b');
      const answers = await Promise.all([first.ask(message), second.ask(message)]);
      expect(answers.every((answer) => (answer as Buffer).equals(message))).toBe(true);
    }
    expect(running.server.stats().shards[0].upgrades).toBe(2);
    const closed = first.closed();
    first.socket.close(4000, 'enough');
    expect(await closed).toEqual([4000, 'enough']);
    second.socket.terminate();
    await expectNone();
  });

  test('wait for slow sides', async () => {
    const client = await open();
    client.socket.pause();
    const blocks = 100;
    for (let i = 0; i < blocks; i++) client.send(Buffer.alloc(BLOCK_BYTES, i));
    const other = await open();
    expect(await other.ask('hello')).toBe('hello');
    client.socket.resume();
    for (let i = 0; i < blocks; i++) expect((await client.next())[0]).toBe(i);
  });

  test('are closed with the server', async () => {
    const client = await open();
    const closed = client.closed();
    await running.server.close();
    expect([1001, 1005, 1006]).toContain((await closed)[0]);
    expect(running.server.state).toBe('closed');
  });
});

describe('connections', () => {
  test('are upgraded over TLS', async () => {
    const tls = (name: string) => readFileSync(new URL(`../fixtures/tls/first-${name}.pem`, import.meta.url));
    await start({ tls: { key: tls('key'), cert: tls('cert') } });
    const client = await open(running.port, 'wss', { rejectUnauthorized: false });
    const large = 'x'.repeat(1_000_000);
    expect((await client.ask(large)) === large).toBe(true);
    client.socket.close(4000);
    expect((await client.closed())[0]).toBe(4000);
    await expectNone();
  });

  test.each([2, 0])('are upgraded over a Unix socket, with %i shards', async (shards) => {
    const folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
    const path = join(folder, 'socket');
    await start({ shards, path });
    const client = await WebSocketClient.open(`ws+unix:${path}:/echo`);
    clients.push(client);
    const large = 'x'.repeat(1_000_000);
    expect((await client.ask(large)) === large).toBe(true);
    expect(await client.ask('peer')).toBe('undefined undefined undefined');
    const closed = client.closed();
    await running.server.close();
    expect(await closed).toEqual([1001, 'the server is closing']);
    rmSync(folder, { recursive: true });
  });

  test('work on each of several HTTP threads', async () => {
    const several = await startHttpThreads(2, { shards: 2 }, 'websockets/ws.js');
    running = several;
    const opened = await Promise.all(several.ports.flatMap((port) => [open(port), open(port)]));
    const large = Buffer.alloc(1_000_000, 'l');
    for (const client of opened) expect(((await client.ask(large)) as Buffer).equals(large)).toBe(true);
    expect(new Set(await Promise.all(opened.map((client) => client.ask('thread')))).size).toBe(2);
    const closed = opened[0].closed();
    opened[0].socket.close(4000);
    expect((await closed)[0]).toBe(4000);
    for (const { socket } of clients.splice(0)) socket.terminate();
    await expectNone();
  });

  test('beyond maxConnections are refused, and open again when others have ended', async () => {
    await start({ limits: { maxConnections: 2 } });
    const [first] = [await open(), await open()];
    await expect(open()).rejects.toThrow();
    first.socket.terminate();
    await until(() => running.server.stats().connections === 1, 'the end of the first one');
    expect(await (await open()).ask('hello')).toBe('hello');
  });

  test('beyond maxStreams get 503', async () => {
    await start({ shards: 1, limits: { maxStreams: 1 } });
    await open();
    const refused = open();
    await expect(refused).rejects.toThrow('Unexpected server response: 503');
    clients[0].socket.terminate();
    await expectNone();
    expect(await (await open()).ask('hello')).toBe('hello');
  });

  test('stay open while they are idle, longer than HTTP timeouts', async () => {
    await start({
      timeouts: { keepAliveTimeoutMs: 100, requestTimeoutMs: 100, headersTimeoutMs: 100, sendTimeoutMs: 100 },
    });
    const client = await open();
    const idle = await fetch(`http://127.0.0.1:${running.port}/plain`);
    await idle.text();
    // The connection of that request has timed out meanwhile.
    await until(() => running.server.stats().connections === 1, 'the end of an idle HTTP connection');
    const pong = once(client.socket, 'pong');
    client.socket.ping();
    await pong;
    expect(await client.ask('hello')).toBe('hello');
  });
});
