import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { startServer, type TestServer, until } from '../support/server.js';

let running: TestServer;
const clients: Socket[] = [];

beforeAll(async () => {
  running = await startServer({ shards: 2 }, 'websockets/socket-io.js');
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await until(() => running.server.stats().shards.every(({ upgrades }) => upgrades === 0), 'the end of all WebSockets');
});

afterAll(() => running.server.close());

function open(key: string, transports: string[]): { client: Socket; thread: Promise<number> } {
  const client = io(`http://127.0.0.1:${running.port}`, {
    transports,
    query: { client: key },
    forceNew: true,
    reconnection: false,
  });
  clients.push(client);
  const thread = once(client as never, 'thread').then(([value]) => value as number);
  return { client, thread };
}

const transportOf = (client: Socket) => client.io.engine.transport.name;

test.each([
  ['polling', ['polling'], 'polling'],
  ['WebSocket', ['websocket'], 'websocket'],
  ['polling that is upgraded', ['polling', 'websocket'], 'websocket'],
])('a session by %s stays on the shard of its key', async (_name, transports, final) => {
  const threads = new Set<number>();
  for (let key = 0; key < 8; key++) {
    const { client, thread } = open(`${key}`, transports);
    threads.add(await thread);
    await until(() => transportOf(client) === final, final);
    for (let i = 0; i < 5; i++) expect(await client.emitWithAck('echo', { i, text: 'ü' })).toEqual({ i, text: 'ü' });
    const large = 'x'.repeat(300_000);
    expect((await client.emitWithAck('echo', large)) === large).toBe(true);
    const bytes = Buffer.from([0, 1, 255]);
    expect(Buffer.from(await client.emitWithAck('echo', bytes)).equals(bytes)).toBe(true);
  }
  expect(threads.size).toBe(2);
});

test('broadcasts reach the clients of a shard', async () => {
  const [first, second] = [open('same', ['websocket']), open('same', ['websocket'])];
  expect(await first.thread).toBe(await second.thread);
  const heard = once(second.client as never, 'all');
  first.client.emit('all', 'hello');
  expect(await heard).toEqual(['hello']);
});

test('server.close() closes sessions in order', async () => {
  const { client, thread } = open('last', ['websocket']);
  await thread;
  const disconnected = once(client as never, 'disconnect');
  await running.server.close();
  expect((await disconnected)[0]).toBe('transport close');
  expect(running.logged).toEqual([]);
});
