import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { Program } from './support/process.js';

let program: Program;
let address: string;

beforeAll(async () => {
  program = new Program(process.execPath, ['examples/websocket/main.js', '0']);
  const [, port] = await program.printed(/listening on port (\d+)/);
  address = `127.0.0.1:${port}`;
});

afterAll(async () => {
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});

async function join(): Promise<WebSocket> {
  const client = new WebSocket(`ws://${address}/chat`);
  await once(client, 'open');
  return client;
}

test('messages of any size reach all clients', async () => {
  const clients = await Promise.all([join(), join(), join()]);
  for (const text of ['hello', 'ü'.repeat(30_000), '']) {
    const heard = clients.map((client) => once(client, 'message'));
    clients[0].send(text);
    for (const [data] of await Promise.all(heard)) expect(data.toString()).toBe(text);
  }
  const closed = once(clients[1], 'close');
  clients[1].close(1000, 'bye');
  expect((await closed)[0]).toBe(1000);
  const heard = once(clients[2], 'message');
  clients[0].send('two left');
  expect((await heard)[0].toString()).toBe('two left');
  for (const client of clients) client.terminate();
});

test('a message that is too large ends only its connection', async () => {
  const [loud, quiet] = [await join(), await join()];
  const closed = once(loud, 'close');
  loud.send('x'.repeat(100_000));
  expect((await closed)[0]).toBe(1009);
  const heard = once(quiet, 'message');
  quiet.send('still here');
  expect((await heard)[0].toString()).toBe('still here');
});

test('other paths are rejected, and HTTP still works', async () => {
  const refused = new WebSocket(`ws://${address}/elsewhere`);
  const [error] = await once(refused, 'error');
  expect(error.message).toBe('Unexpected server response: 404');
  expect(await (await fetch(`http://${address}/`)).text()).toContain('/chat');
});
