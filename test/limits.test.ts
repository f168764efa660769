import { afterEach, expect, test } from '@jest/globals';
import { exchange, field, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;

afterEach(async () => {
  await expectConserved(running);
  await running.server.close();
});

test('maxConnections: further connections are closed immediately, and accepted again when others end', async () => {
  running = await startServer({ shards: 1, limits: { maxConnections: 2 } });
  const clients = [await RawClient.open(running.port), await RawClient.open(running.port)];
  for (const client of clients) {
    client.write(get('/json'));
    expect((await client.response()).status).toBe(200);
  }
  const refused = await RawClient.open(running.port);
  await refused.closed();
  expect(running.server.stats()).toMatchObject({ connections: 2, connectionsRefused: 1 });
  clients[0].destroy();
  await until(() => running.server.stats().connections === 1, 'room');
  const taken = await RawClient.open(running.port);
  taken.write(get('/json'));
  expect((await taken.response()).status).toBe(200);
  for (const client of [taken, clients[1]]) client.destroy();
});

test('maxRequestsPerConnection: the last response closes the connection, and later requests are not read', async () => {
  running = await startServer({ shards: 1, limits: { maxRequestsPerConnection: 3 } });
  const client = await RawClient.open(running.port);
  client.write(get('/json') + get('/nowhere') + get('/json') + get('/json'));
  const fields = [];
  for (let i = 0; i < 3; i++) fields.push(field(await client.response(), 'connection'));
  expect(fields).toEqual(['keep-alive', 'keep-alive', 'close']);
  await client.closed();
  expect(client.pending.length).toBe(0);
  client.destroy();
});

test('maxBufferedBytes: the server stops reading requests of a client that does not read', async () => {
  running = await startServer({ shards: 1, limits: { maxBufferedBytes: 65_536 }, memory: { slotBytes: 4_096 } });
  const client = await RawClient.open(running.port);
  client.socket.pause();
  const requests = 80;
  const bytes = 1_000_000;
  // One by one, so that the first responses are ready before the last requests arrive.
  let sent = 0;
  const started = () => running.server.stats().shards[0].requests;
  while (sent < requests) {
    client.write(get(`/large/${bytes}`));
    sent++;
    const before = sent;
    await until(() => started() >= before || stuck(), 'the request to arrive, or the limit to be reached');
    if (stuck()) break;
  }
  function stuck(): boolean {
    const { slots, outstanding } = running.server.stats();
    return outstanding === 0 && slots.free < slots.total;
  }
  client.write(get(`/large/${bytes}`).repeat(requests - sent));
  // Others were served meanwhile, so the server has read all it will read from this client.
  for (let i = 0; i < 50; i++) expect((await exchange(running.port, get('/nowhere'))).status).toBe(404);
  await until(stuck, 'responses that wait');
  // The kernel's buffers, plus one request that reached the limit: fewer than the 64 that may be in flight.
  expect(started()).toBeLessThan(30);
  client.socket.resume();
  for (let i = 0; i < requests; i++) expect((await client.response()).body.length).toBe(bytes);
  client.destroy();
});
