import { connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { field, get, RawClient } from './support/client.js';
import { startServer, until } from './support/server.js';

test('close() finishes requests in flight with connection: close, closes idle connections, and rejects new ones', async () => {
  const { server, port } = await startServer();
  const [busy, idle, pipelined] = await Promise.all([1, 2, 3].map(() => RawClient.open(port)));
  idle.write(get('/json'));
  await idle.response();
  busy.write(get('/later/100/busy'));
  pipelined.write(get('/later/50/one') + get('/sync/two'));
  await until(() => server.stats().outstanding === 2, 'the requests to arrive');
  const closed = server.close();
  expect(server.state).toBe('draining');
  await idle.closed();
  const answer = await busy.response();
  expect([answer.body.toString(), field(answer, 'connection')]).toEqual(['busy', 'close']);
  const one = await pipelined.response();
  expect([one.body.toString(), field(one, 'connection')]).toEqual(['one', 'keep-alive']);
  const two = await pipelined.response();
  expect([two.body.toString(), field(two, 'connection')]).toEqual(['two', 'close']);
  for (const client of [busy, idle, pipelined]) client.destroy();
  await closed;
  expect(server.state).toBe('closed');
  const error = await new Promise<NodeJS.ErrnoException>((resolve) =>
    connect(port, '127.0.0.1').once('error', resolve),
  );
  expect(error.code).toBe('ECONNREFUSED');
  expect(server.close()).toBe(server.close());
});

test('during drainDelayMs connections are closed one after the other, and no request is reset', async () => {
  const delay = 1_200;
  const { server, port } = await startServer({ timeouts: { drainDelayMs: delay } });
  const [idle, ...clients] = await Promise.all(Array.from({ length: 21 }, () => RawClient.open(port)));
  for (const client of [idle, ...clients]) {
    client.write(get('/json'));
    expect(field(await client.response(), 'connection')).not.toBe('close');
  }
  const begin = performance.now();
  const closed = server.close();
  const told = await Promise.all(
    clients.map(async (client) => {
      for (;;) {
        client.write(get('/later/10/x'));
        const response = await client.response();
        expect(response.status).toBe(200);
        if (field(response, 'connection') === 'close') break;
      }
      await client.closed();
      expect(client.pending).toHaveLength(0);
      client.destroy();
      return performance.now() - begin;
    }),
  );
  told.sort((a, b) => a - b);
  expect(told[19]).toBeLessThan(delay);
  expect(told[15] - told[5]).toBeGreaterThan(delay / 4);
  expect(idle.ended).toBe(false);
  await idle.closed();
  expect(performance.now() - begin).toBeGreaterThanOrEqual(delay - 1);
  idle.destroy();
  await closed;
});

test('during drainDelayMs, pending responses close their connections too, and open streams continue to their end', async () => {
  const { server, port } = await startServer({ shards: 1, timeouts: { drainDelayMs: 1_000 } }, 'streams.js');
  const owed = await RawClient.open(port);
  const probe = await RawClient.open(port);
  const client = await RawClient.open(port);
  // So the server has accepted them in this order, in which it will tell them.
  for (const one of [owed, probe]) {
    one.write(get('/missing'));
    await one.response();
  }
  const slow = get('/paced/30/20');
  client.write(slow);
  await client.response();
  owed.write(get('/held-start'));
  await until(() => server.stats().outstanding === 1 && server.stats().shards[0].streams === 1, 'both requests');
  const closed = server.close();
  do probe.write(get('/missing'));
  while (field(await probe.response(), 'connection') !== 'close');
  const channel = new BroadcastChannel('loopshard-streams');
  channel.postMessage('start');
  channel.close();
  expect(field(await owed.response(), 'connection')).toBe('close');
  await until(() => client.pending.includes('\r\n0\r\n\r\n'), 'the whole stream');
  client.skip(client.pending.length);
  if (!client.ended) {
    client.write(get('/text'));
    expect(field(await client.response(), 'connection')).toBe('close');
  }
  for (const one of [client, probe, owed]) one.destroy();
  await closed;
});

test('close() drops requests that are not finished after closeTimeoutMs', async () => {
  const { server, port, logged } = await startServer({ timeouts: { closeTimeoutMs: 50 } });
  const client = await RawClient.open(port);
  client.write(get('/later/60000/never'));
  await until(() => server.stats().outstanding === 1, 'the request to arrive');
  await server.close();
  await client.closed();
  expect(client.pending.length).toBe(0);
  expect(logged.map(({ message }) => message)).toEqual(['not drained within 50 ms; dropping the remaining requests']);
});

test('a request that has been half sent when the server begins to drain still gets its response', async () => {
  const { server, port } = await startServer();
  const client = await RawClient.open(port);
  await client.send('GET /sync/half HTTP/1.1\r\nHo');
  await until(() => server.stats().connections === 1, 'the connection');
  // A later round trip on another connection proves that the half was read.
  const other = await RawClient.open(port);
  other.write(get('/json'));
  await other.response();
  const closed = server.close();
  client.write('st: x\r\n\r\n');
  const answer = await client.response();
  expect([answer.body.toString(), field(answer, 'connection')]).toEqual(['half', 'close']);
  client.destroy();
  other.destroy();
  await closed;
});

test('destroy() ends a shard that is stuck', async () => {
  const { server, port } = await startServer({ shards: 1 });
  const client = await RawClient.open(port);
  client.write(get('/busy/60000/never'));
  await until(() => server.stats().outstanding === 1, 'the request to arrive');
  await server.destroy();
  await client.closed();
  expect(server.state).toBe('closed');
});

test('a response to a slow client arrives completely, and then the connection ends', async () => {
  const { server, port } = await startServer();
  const client = await RawClient.open(port);
  client.socket.pause();
  client.write(get('/large/20000000'));
  // It is larger than any extent, so it is sent in pieces.
  await until(() => server.stats().shards.some(({ handlerTime }) => handlerTime.count > 0), 'the response');
  const started = performance.now();
  const closed = server.close();
  client.socket.resume();
  expect((await client.response()).body.length).toBe(20_000_000);
  await client.closed();
  client.destroy();
  await closed;
  // Not by reaching closeTimeoutMs.
  expect(performance.now() - started).toBeLessThan(9_000);
});

test('a client that stops reading for longer than the server lingers still gets its complete last response', async () => {
  const { server, port } = await startServer();
  const client = await RawClient.open(port);
  client.socket.pause();
  client.write(get('/large/20000000', 'Connection: close'));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  client.socket.resume();
  expect((await client.response()).body.length).toBe(20_000_000);
  client.destroy();
  await server.close();
});

test('destroy() during close() settles both immediately', async () => {
  const { server, port } = await startServer();
  const client = await RawClient.open(port);
  client.write(get('/later/60000/never'));
  await until(() => server.stats().outstanding === 1, 'the request to arrive');
  const closed = server.close();
  const started = performance.now();
  await server.destroy();
  await closed;
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(server.state).toBe('closed');
  client.destroy();
});
