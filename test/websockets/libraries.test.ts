import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';
import { WebSocketClient } from '../support/websockets.js';

/* The same WebSocket behaviour with each library and framework, on two shards. */
const APPS: [name: string, fixture: string, path: string][] = [
  ['ws', 'ws.js', '/echo'],
  ['an http.Server', 'http-server.js', '/echo'],
  ['Express and ws', 'express.js', '/echo'],
  ['@fastify/websocket', 'fastify.js', '/echo'],
  ["Hono's upgradeWebSocket", 'hono.js', '/echo'],
  ['an http.Server that is mounted', 'mounted.js', '/live/echo'],
];

describe.each(APPS)('%s', (_name, fixture, path) => {
  let running: TestServer;
  const clients: WebSocketClient[] = [];

  const open = async (protocols: string[] = []) => {
    const client = await WebSocketClient.open(`ws://127.0.0.1:${running.port}${path}`, protocols);
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    running = await startServer({ shards: 2, scheduling: { steal: false } }, `websockets/${fixture}`);
  });

  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.terminate();
    await until(() => running.server.stats().connections === 0, 'the end of all connections');
    await expectConserved(running);
    expect(running.logged).toEqual([]);
  });

  afterAll(() => running.server.close());

  test('text and binary messages of any size are sent both ways, compressed', async () => {
    const client = await open();
    expect(client.socket.extensions).toContain('permessage-deflate');
    for (const text of ['hello', '', 'ü', 'x'.repeat(1_000_000)]) expect((await client.ask(text)) === text).toBe(true);
    const binary = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * i) % 251));
    expect(((await client.ask(binary)) as Buffer).equals(binary)).toBe(true);
    expect(await client.ask(Buffer.alloc(0))).toEqual(Buffer.alloc(0));
  });

  test('10,000 small messages arrive in order, both ways', async () => {
    const client = await open();
    for (let i = 0; i < 10_000; i++) client.send(`${i}`);
    for (let i = 0; i < 10_000; i++) if ((await client.next()) !== `${i}`) throw new Error(`message ${i} is wrong`);
  });

  test('pings and pongs are sent both ways', async () => {
    const client = await open();
    client.socket.ping('hello');
    expect((await once(client.socket, 'pong'))[0].toString()).toBe('hello');
    expect(await client.ask('ping')).toBe('pong are you there?');
  });

  test('close codes and reasons are sent both ways', async () => {
    const first = await open();
    first.socket.close(4000, 'mine');
    expect(await first.closed()).toEqual([4000, 'mine']);
    const second = await open();
    second.send('close');
    expect(await second.closed()).toEqual([4001, 'bye']);
  });

  test('a subprotocol is chosen', async () => {
    expect((await open(['other', 'chat'])).socket.protocol).toBe('chat');
  });

  test('connections are spread over the shards, and each stays on its own', async () => {
    const opened = [];
    for (let i = 0; i < 10; i++) opened.push(await open());
    const threads = await Promise.all(opened.map((client) => client.ask('thread')));
    expect(await Promise.all(opened.map((client) => client.ask('thread')))).toEqual(threads);
    expect([...new Set(threads)].map((thread) => threads.filter((one) => one === thread).length)).toEqual([5, 5]);
  });

  test('other paths are rejected, and HTTP continues', async () => {
    const prefix = path.slice(0, -'/echo'.length);
    const refused = new WebSocket(`ws://127.0.0.1:${running.port}${prefix}/nowhere`);
    const [error] = await once(refused, 'error');
    expect(error.message).toMatch(/Unexpected server response: 40[04]/);
    expect(
      await (await fetch(`http://127.0.0.1:${running.port}/plain`, { headers: { connection: 'close' } })).text(),
    ).toBe('plain');
  });
});
