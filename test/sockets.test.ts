import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { get, post, RawClient } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer } from './support/server.js';

/** The prototype of TCP handles, with the method that makes sockets read into a given buffer. */
async function streamPrototype(): Promise<{ useUserBuffer?: unknown }> {
  const server = createServer((accepted) => accepted.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const socket = await new Promise<Socket>((resolve) => {
    const connecting = connect(port, '127.0.0.1', () => resolve(connecting));
  });
  let prototype = (socket as unknown as { _handle: object })._handle;
  while (!Object.hasOwn(prototype, 'useUserBuffer')) prototype = Object.getPrototypeOf(prototype);
  socket.destroy();
  server.close();
  return prototype;
}

test('Node.js has the handles for reading without copies, and without them the server falls back to data events', async () => {
  const prototype = await streamPrototype();
  const { useUserBuffer } = prototype;
  expect(typeof useUserBuffer).toBe('function');
  prototype.useUserBuffer = undefined;
  try {
    const running = await startServer({ shards: 1 });
    const client = await RawClient.open(running.port);
    const large = 'z'.repeat(200_000);
    client.write(
      Buffer.concat([Buffer.from(get('/sync/1').repeat(200)), post('/length', large), Buffer.from(get('/json'))]),
    );
    for (let i = 0; i < 200; i++) expect((await client.response()).body.toString()).toBe('1');
    expect((await client.response()).body.toString()).toBe('{"length":200000}');
    expect((await client.response()).status).toBe(200);
    client.destroy();
    await expectConserved(running);
    await running.server.close();
  } finally {
    prototype.useUserBuffer = useUserBuffer;
  }
});

test('Node.js has the listening handle, and one socket is created and announced for each connection', async () => {
  const running = await startServer({ shards: 1, ...ONE_HTTP_THREAD });
  const sockets: Socket[] = [];
  const note = (message: unknown) => void sockets.push((message as { socket: Socket }).socket);
  subscribe('net.server.socket', note);
  const clients = await Promise.all(Array.from({ length: 3 }, () => RawClient.open(running.port)));
  for (const client of clients) client.write(get('/sync/1'));
  for (const client of clients) expect((await client.response()).status).toBe(200);
  unsubscribe('net.server.socket', note);
  // A socket created by net belongs to its server.
  expect(sockets.map((socket) => (socket as { server?: unknown }).server ?? 'none')).toEqual(['none', 'none', 'none']);
  expect(sockets.map(({ remotePort }) => remotePort).sort()).toEqual(
    clients.map(({ socket }) => socket.localPort).sort(),
  );
  for (const client of clients) client.destroy();
  await expectConserved(running);
  await running.server.close();
});

test('more connections than one parser instance supports are served', async () => {
  const running = await startServer({ shards: 1 });
  const clients = await Promise.all(Array.from({ length: 1_100 }, () => RawClient.open(running.port)));
  for (const [i, client] of clients.entries()) client.write(get(`/sync/${i}`).slice(0, -3));
  for (const client of clients) client.write(get('/').slice(-3));
  for (const [i, client] of clients.entries()) expect((await client.response()).body.toString()).toBe(String(i));
  for (const client of clients) client.destroy();
  await expectConserved(running);
  await running.server.close();
});
