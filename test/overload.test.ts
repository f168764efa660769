import { afterEach, expect, test } from '@jest/globals';
import { exchange, field, get, RawClient } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;

afterEach(async () => {
  await expectConserved(running);
  await running.server.close();
});

test('with every slot in use, a request is rejected immediately with 503 and Retry-After', async () => {
  running = await startServer({ shards: 1, memory: { slots: 4 }, ...ONE_HTTP_THREAD });
  const holders = await Promise.all(Array.from({ length: 4 }, () => RawClient.open(running.port)));
  for (const holder of holders) holder.write(get('/later/400/held'));
  await until(() => running.server.stats().slots.free === 0, 'the slots to fill');
  const client = await RawClient.open(running.port);
  client.write(get('/json'));
  const refused = await client.response();
  expect([refused.status, field(refused, 'retry-after')]).toEqual([503, '1']);
  expect(JSON.parse(refused.body.toString()).code).toBe('NO_SLOT');
  // None of the held requests has a response yet, so the rejection did not wait.
  expect(holders.every((holder) => holder.pending.length === 0)).toBe(true);
  for (const holder of holders) expect((await holder.response()).body.toString()).toBe('held');
  client.write(get('/json'));
  expect((await client.response()).status).toBe(200);
  for (const one of [client, ...holders]) one.destroy();
});

test('without a permit, requests wait in the ring and are processed later', async () => {
  running = await startServer({ shards: 1, scheduling: { permits: 2 }, ...ONE_HTTP_THREAD });
  const clients = await Promise.all(Array.from({ length: 10 }, () => RawClient.open(running.port)));
  for (const [i, client] of clients.entries()) client.write(get(`/later/300/${i}`));
  await until(() => {
    const [shard] = running.server.stats().shards;
    return shard.queued === 8 && shard.permits.available === 0;
  }, 'eight requests to queue');
  for (const [i, client] of clients.entries()) {
    expect((await client.response()).body.toString()).toBe(String(i));
    client.destroy();
  }
});

test('blocking shards respond too', async () => {
  running = await startServer({ shards: 2, scheduling: { park: 'sync' } });
  for (let i = 0; i < 20; i++) {
    expect((await exchange(running.port, get(`/sync/${i}`))).body.toString()).toBe(String(i));
  }
});

test('round robin uses the shards in turn', async () => {
  running = await startServer({ shards: 3, scheduling: { dispatch: 'round-robin', steal: false }, ...ONE_HTTP_THREAD });
  const threads = [];
  for (let i = 0; i < 6; i++) {
    threads.push(JSON.parse((await exchange(running.port, get('/thread'))).body.toString()).threadId);
  }
  expect(new Set(threads).size).toBe(3);
  expect(threads.slice(3)).toEqual(threads.slice(0, 3));
});

test('without stealing, the shard with the fewest requests is chosen', async () => {
  running = await startServer({ shards: 2, scheduling: { steal: false }, ...ONE_HTTP_THREAD });
  const holders = await Promise.all(Array.from({ length: 4 }, () => RawClient.open(running.port)));
  for (const holder of holders) holder.write(get('/later/300/held'));
  await until(() => running.server.stats().outstanding === 4, 'the requests to arrive');
  expect(running.server.stats().shards.map(({ outstanding }) => outstanding)).toEqual([2, 2]);
  for (const holder of holders) {
    await holder.response();
    holder.destroy();
  }
});
