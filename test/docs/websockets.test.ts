import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { io } from 'socket.io-client';
import { createProject, type Example, examplesOf } from '../support/pages.js';
import { loopshard, type Program, root } from '../support/process.js';
import { WebSocketClient } from '../support/websockets.js';

/* The examples of docs/websockets.md, as they are, on two shards. */
let examples: Example[];
let folder: string;
let program: Program;
const clients: WebSocketClient[] = [];

beforeAll(async () => {
  examples = await examplesOf('docs/websockets.md');
  folder = await createProject('websockets', 'module', examples);
});

afterAll(() => rm(join(root, 'build', 'websockets'), { recursive: true, force: true }));

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.terminate();
  if (!program.child.killed) program.child.kill('SIGTERM');
  expect([await program.exit(), program.stderr]).toEqual([0, '']);
});

async function start(name: string): Promise<string> {
  program = loopshard('serve', join(folder, name), '--port', '0', '--shards', '2');
  const [, port] = await program.printed(/listens on http:\/\/127\.0\.0\.1:(\d+)/);
  return `127.0.0.1:${port}`;
}

async function open(url: string): Promise<WebSocketClient> {
  const client = await WebSocketClient.open(url);
  clients.push(client);
  return client;
}

const ECHOES = [
  ['http-server.mjs', '/'],
  ['express.mjs', '/echo'],
  ['fastify.mjs', '/echo'],
  ['hono.mjs', '/echo'],
];

test.each(ECHOES)('%s echoes', async (name, path) => {
  const address = await start(name);
  const client = await open(`ws://${address}${path}`);
  expect(await client.ask('hello')).toBe('hello');
  expect(Buffer.from((await client.ask(Buffer.from([0, 255]))) as Buffer)).toEqual(Buffer.from([0, 255]));
});

test('ws.mjs: messages reach the clients of all shards, and the end of the server closes them in order', async () => {
  const address = await start('ws.mjs');
  const everyone = await Promise.all(['Ada', 'Bob', 'Eve', 'Dan'].map((name) => open(`ws://${address}/chat/${name}`)));
  everyone[0].send('hello');
  expect(await Promise.all(everyone.map((client) => client.next()))).toEqual(Array(4).fill('Ada: hello'));
  const closed = everyone.map((client) => client.closed());
  program.child.kill('SIGTERM');
  expect((await Promise.all(closed)).map(([code]) => code)).toEqual(Array(4).fill(1001));
});

test('socket-io.mjs: sessions with a key work by polling and by WebSocket', async () => {
  const address = await start('socket-io.mjs');
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    const client = io(`http://${address}`, { transports, query: { client: `${transports}` }, forceNew: true });
    for (let i = 0; i < 5; i++) expect(await client.emitWithAck('echo', i)).toBe(i);
    client.disconnect();
  }
});

test('every example is tested', () => {
  const tested = [...ECHOES.map(([name]) => name), 'ws.mjs', 'socket-io.mjs'];
  expect(examples.map(({ name }) => name).sort()).toEqual(tested.sort());
});
