import { expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, get, RawClient } from './support/client.js';
import { ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { useStage } from './support/stage.js';

const scene = useStage();

async function start(options: ServeOptions = {}): Promise<void> {
  scene.running = await startServer({ shards: 1, ...ONE_HTTP_THREAD, ...options }, 'scheduling-app.js');
}

const stats = () => scene.running.server.stats();

test('stats count requests in flight, by place', async () => {
  await start({ scheduling: { permits: 1 }, memory: { slots: 16 } });
  const pending = [await scene.stage.send(scene.running, '/wait/a')];
  await until(() => scene.stage.started.length === 1, 'the start');
  pending.push(
    await scene.stage.send(scene.running, '/run/b'),
    await scene.stage.send(scene.running, '/sticky/run/c', 'X-Key: 1'),
  );
  await until(() => stats().shards[0].queued === 2, 'two requests to wait');
  await until(() => stats().shards[0].queueAgeMs > 20, 'some time');
  const { state, connections, outstanding, slots, shards } = stats();
  expect({ state, connections, outstanding, slots }).toEqual({
    state: 'ready',
    connections: 3,
    outstanding: 3,
    slots: { free: 13, total: 16 },
  });
  expect(shards[0]).toMatchObject({
    shard: 0,
    group: 'default',
    state: 'ready',
    restarts: 0,
    requests: 1,
    outstanding: 3,
    queued: 2,
    permits: { available: 0, limit: 1 },
    shedding: false,
    steals: 0,
  });
  scene.stage.release('a');
  for (const { response } of pending) expect((await response).status).toBe(200);
  expect(stats().shards[0]).toMatchObject({ requests: 3, queued: 0, queueAgeMs: 0 });
});

test('stats count rejected requests, by reason', async () => {
  // One of the two slots is reserved for requests of high priority.
  await start({ memory: { slots: 2 } });
  const { response } = await scene.stage.send(scene.running, '/wait/a');
  await until(() => stats().slots.free === 1, 'the request to arrive');
  for (let i = 0; i < 3; i++) expect((await exchange(scene.running.port, get('/thread'))).status).toBe(503);
  expect(stats().refused).toEqual({ NO_SLOT: 3 });
  scene.stage.release('a');
  expect((await response).status).toBe(200);
});

test('stats have histograms of queue times and handler times, in microseconds', async () => {
  await start();
  const empty = { count: 0, mean: 0, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  expect(stats().shards[0]).toMatchObject({ queueTime: empty, handlerTime: empty });
  const client = await RawClient.open(scene.running.port);
  // They arrive together and take 10 ms each, so the last one waits for 90 ms.
  client.write(get('/busy/10').repeat(10));
  for (let i = 0; i < 10; i++) await client.response();
  client.destroy();
  const [{ queueTime, handlerTime }] = stats().shards;
  expect([queueTime.count, handlerTime.count]).toEqual([10, 10]);
  const [{ batchSize, batches }] = stats().shards;
  expect(batchSize.count).toBe(batches);
  expect(batchSize.mean * batches).toBeCloseTo(10);
  expect(handlerTime.min).toBeGreaterThan(9_000);
  expect(handlerTime.p50).toBeGreaterThan(9_000);
  expect(queueTime.max).toBeGreaterThan(85_000);
  expect(queueTime.p50).toBeGreaterThan(35_000);
  for (const { min, p50, p90, p99, p999, max } of [queueTime, handlerTime]) {
    // The histogram has a precision of 1 %.
    const ordered = [min, p50, p90, p99, p999, max * 1.01];
    expect([...ordered].sort((a, b) => a - b)).toEqual(ordered);
  }
});

test('the time that a handler waits counts as handler time', async () => {
  await start();
  const { response } = await scene.stage.send(scene.running, '/wait/a');
  await until(() => scene.stage.started.length === 1, 'the start');
  const began = performance.now();
  await until(() => performance.now() - began > 60, 'some time');
  scene.stage.release('a');
  await response;
  expect(stats().shards[0].handlerTime.max).toBeGreaterThan(50_000);
  expect(stats().shards[0].queueTime.max).toBeLessThan(stats().shards[0].handlerTime.max);
});

test('each state change of a shard and of the server emits an event', async () => {
  await start();
  const events: unknown[] = [];
  scene.running.server.on('state', (state) => void events.push(state));
  scene.running.server.on('shard', ({ shard, group, state }) => void events.push(`${group} ${shard} ${state}`));
  const dying = await scene.stage.send(scene.running, '/die/a');
  scene.stage.release('a');
  expect((await dying.response).status).toBe(502);
  await until(() => stats().shards[0].state === 'ready', 'the replacement');
  expect(stats().shards[0].restarts).toBe(1);
  expect(stats().shards[0].handlerTime.count).toBe(0);
  await until(async () => (await exchange(scene.running.port, get('/thread'))).status === 200, 'a response');
  await scene.running.server.close();
  const restarted = ['ended', 'spawning', 'loading', 'ready'].map((state) => `default 0 ${state}`);
  expect(events).toEqual([...restarted, 'draining', 'default 0 draining', 'default 0 ended', 'closed']);
});

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux('shardNice makes shards give way, and not the HTTP thread', async () => {
  const { getPriority } = await import('node:os');
  const before = getPriority();
  scene.running = await startServer({ shards: 2, scheduling: { shardNice: 7 } }, 'nice-app.js');
  for (let i = 0; i < 4; i++) {
    expect((await exchange(scene.running.port, get('/nice'))).body.toString()).toBe('7');
  }
  expect(getPriority()).toBe(before);
});
