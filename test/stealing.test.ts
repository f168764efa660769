import { expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { get, post, RawClient } from './support/client.js';
import { ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { useStage } from './support/stage.js';

const scene = useStage();
let before: number[] = [];

/** Two shards that get requests in turn. A handler blocks one of them. */
async function startBlocked(options: ServeOptions = {}) {
  scene.running = await startServer(
    { shards: 2, ...options, scheduling: { dispatch: 'round-robin', ...options.scheduling } },
    'scheduling-app.js',
  );
  const blocking = await scene.stage.send(scene.running, '/hold/block');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  // The blocking request may have been stolen itself.
  before = scene.running.server.stats().shards.map((shard) => shard.steals);
  return { blocking, thread: scene.stage.threadOf('block') };
}

/** Counts since the shard is blocked. */
const steals = () => scene.running.server.stats().shards.map((shard, i) => shard.steals - before[i]);
const queued = () => scene.running.server.stats().shards.reduce((sum, shard) => sum + shard.queued, 0);

async function finish(blocking: { response: Promise<{ status: number }> }): Promise<void> {
  scene.stage.release('block');
  expect((await blocking.response).status).toBe(200);
}

test('an idle shard steals requests queued for a busy one, and counts them', async () => {
  const { blocking, thread } = await startBlocked(ONE_HTTP_THREAD);
  for (let i = 0; i < 20; i++) {
    const { response } = await scene.stage.send(scene.running, `/run/${i}`);
    expect(JSON.parse((await response).body.toString()).threadId).not.toBe(thread);
  }
  expect(scene.stage.started).toHaveLength(21);
  expect(steals().filter((count) => count === 10)).toHaveLength(1);
  expect(steals().filter((count) => count === 0)).toHaveLength(1);
  await finish(blocking);
});

test('a long backlog is shared among shards', async () => {
  const { blocking } = await startBlocked();
  const clients = await Promise.all(Array.from({ length: 10 }, () => RawClient.open(scene.running.port)));
  for (const client of clients) client.write(get('/thread').repeat(40));
  for (const client of clients) {
    for (let i = 0; i < 40; i++) expect((await client.response()).status).toBe(200);
    client.destroy();
  }
  expect(steals().reduce((sum, count) => sum + count)).toBe(200);
  await finish(blocking);
});

test('nothing is stolen with steal: false', async () => {
  const { blocking, thread } = await startBlocked({ scheduling: { steal: false } });
  const pending = await Promise.all(Array.from({ length: 10 }, (_, i) => scene.stage.send(scene.running, `/run/${i}`)));
  await until(() => scene.stage.started.length === 6 && queued() === 5, 'half of the requests');
  await finish(blocking);
  const threads = [];
  for (const { response } of pending) threads.push(JSON.parse((await response).body.toString()).threadId);
  expect(threads.filter((one) => one === thread)).toHaveLength(5);
  expect(steals()).toEqual([0, 0]);
});

test('an idle shard is not woken for requests with a key that wait for a busy one', async () => {
  scene.running = await startServer({ shards: 2, ...ONE_HTTP_THREAD }, 'scheduling-app.js');
  const { server } = scene.running;
  const blocking = await scene.stage.send(scene.running, '/sticky/hold/block', 'X-Key: a');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  const parks = () => server.stats().shards.map((shard) => shard.parks);
  const idle = server.stats().shards.findIndex((shard) => shard.outstanding === 0);
  await until(() => parks()[idle] > 0, 'the idle shard to sleep');
  const parksBefore = parks()[idle];
  const pending: { response: Promise<unknown> }[] = [];
  for (let i = 0; i < 20; i++) {
    pending.push(await scene.stage.send(scene.running, `/sticky/run/${i}`, 'X-Key: a'));
    await until(() => queued() === i + 1, 'the queued request');
  }
  await finish(blocking);
  await Promise.all(pending.map(({ response }) => response));
  expect(parks()[idle]).toBe(parksBefore);
});

test('requests with a key are never stolen', async () => {
  const { blocking, thread } = await startBlocked();
  const pending = await Promise.all(
    Array.from({ length: 32 }, (_, i) => scene.stage.send(scene.running, `/sticky/run/${i}`, `X-Key: ${i}`)),
  );
  const otherIsDone = () => scene.running.server.stats().shards.some((shard) => shard.queued === 0);
  await until(
    () => scene.stage.started.length - 1 + queued() === 32 && otherIsDone(),
    'all requests but those of the busy shard',
  );
  const waiting = queued();
  expect(waiting).toBeGreaterThan(0);
  // The other shard may steal only requests without a key.
  const others = await Promise.all([
    scene.stage.send(scene.running, '/run/x'),
    scene.stage.send(scene.running, '/run/y'),
  ]);
  for (const { response } of others) expect((await response).status).toBe(200);
  expect(queued()).toBe(waiting);
  await finish(blocking);
  const threads = [];
  for (const { response } of pending) threads.push(JSON.parse((await response).body.toString()).threadId);
  expect(threads.filter((one) => one === thread)).toHaveLength(waiting);
});

test('requests whose records do not fit a slot are stolen like others', async () => {
  const { blocking, thread } = await startBlocked({ memory: { slotBytes: 4_096 }, limits: { maxBodyBytes: 2 ** 21 } });
  const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(scene.running.port)));
  for (const [i, client] of clients.entries()) {
    client.write(post(scene.stage.target(`/large/${i}`), 'x'.repeat(10_000 + 200_000 * i)));
  }
  for (const client of clients) {
    expect(JSON.parse((await client.response()).body.toString()).threadId).not.toBe(thread);
    client.destroy();
  }
  await finish(blocking);
});

test('blocking shards steal too', async () => {
  const { blocking, thread } = await startBlocked({ scheduling: { park: 'sync' } });
  for (let i = 0; i < 10; i++) {
    const { response } = await scene.stage.send(scene.running, `/run/${i}`);
    expect(JSON.parse((await response).body.toString()).threadId).not.toBe(thread);
  }
  await finish(blocking);
});

test('a request is sent to another shard if the next one in turn is full', async () => {
  const { blocking } = await startBlocked({
    scheduling: { steal: false, permits: 1, batch: 1, maxQueue: 1 },
    ...ONE_HTTP_THREAD,
  });
  const status = async (id: number) => (await (await scene.stage.send(scene.running, `/run/${id}`)).response).status;
  const waiting: Promise<number>[] = [];
  // The blocked shard gets every other request; the first of them waits.
  for (let i = 0; queued() === 0; i++) {
    waiting.push(status(i));
    await until(() => queued() === 1 || scene.stage.started.length === i + 2, 'the request to wait or to be started');
  }
  for (let i = 10; i < 16; i++) expect(await status(i)).toBe(200);
  await finish(blocking);
  for (const one of waiting) expect(await one).toBe(200);
});
