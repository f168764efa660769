import { expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, get, RawClient } from './support/client.js';
import { ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { outcome, useStage } from './support/stage.js';

const scene = useStage();

async function start(options: ServeOptions): Promise<void> {
  scene.running = await startServer(options, 'scheduling-app.js');
}

const route = (name: string) => scene.running.server.stats().routes.find((one) => one.route === `GET ${name}`)!;
const started = (count: number) => until(() => scene.stage.started.length === count, `${count} started handlers`);

/** Sends requests one after the other, so that they are queued in this order. */
async function line(name: string, path: string, ids: string[]) {
  const pending = [];
  for (const [i, id] of ids.entries()) {
    const before = route(name).waiting;
    pending.push(await scene.stage.send(scene.running, `${path}/${id}`));
    if (i > 0) await until(() => route(name).waiting > before, 'the request to wait');
    else await until(() => scene.stage.started.includes(id), 'the first one to start');
  }
  return pending;
}

// ── maxConcurrency ────────────────────────────────────────────────────────────────────────────────────────────────────

test('maxConcurrency limits the requests of a route in flight over all shards, and others overtake them', async () => {
  await start({ shards: 2 });
  const pending = await Promise.all(
    ['a', 'b', 'c', 'd', 'e'].map((id) => scene.stage.send(scene.running, `/two/${id}`)),
  );
  await until(() => route('/two/:id').waiting === 3, 'three requests to wait');
  await started(2);
  expect(route('/two/:id').permits).toEqual({ available: 0, limit: 2 });
  expect((await (await scene.stage.send(scene.running, '/run/other')).response).status).toBe(200);
  expect(scene.stage.started).toHaveLength(3);
  scene.stage.release('a', 'b', 'c', 'd', 'e');
  for (const { response } of pending) expect((await response).status).toBe(200);
});

test('queued requests get the permit in the order of their arrival', async () => {
  await start({ shards: 2, ...ONE_HTTP_THREAD });
  const ids = ['a', 'b', 'c', 'd'];
  const pending = await line('/one/:id', '/one', ids);
  for (const [i, id] of ids.entries()) {
    await started(i + 1);
    scene.stage.release(id);
    expect((await pending[i].response).status).toBe(200);
  }
  expect(scene.stage.started).toEqual(ids);
});

test('a request that waits for a permit for too long gets 503 and is never started', async () => {
  await start({ shards: 2 });
  const [first, second] = await line('/impatient/:id', '/impatient', ['a', 'b']);
  expect(await outcome(second.response)).toEqual([503, 'QUEUE_TIMEOUT']);
  expect(route('/impatient/:id').waiting).toBe(0);
  scene.stage.release('a');
  expect((await first.response).status).toBe(200);
  expect(scene.stage.started).toEqual(['a']);
});

test('a client that disconnects while its request waits for a permit makes room for the next', async () => {
  await start({ shards: 2 });
  const [first, second, third] = await line('/one/:id', '/one', ['a', 'b', 'c']);
  second.leave();
  await until(() => route('/one/:id').waiting === 1, 'the request to be dropped');
  scene.stage.release('a', 'c');
  expect((await first.response).status).toBe(200);
  expect((await third.response).status).toBe(200);
  expect(scene.stage.started).toEqual(['a', 'c']);
});

test('a client that disconnects while its request has a permit but is queued passes the permit on', async () => {
  await start({ shards: 1 });
  const blocking = await scene.stage.send(scene.running, '/hold/block');
  await started(1);
  const second = await scene.stage.send(scene.running, '/one/b');
  await until(() => scene.running.server.stats().shards[0].queued === 1, 'a request in the ring');
  const third = await scene.stage.send(scene.running, '/one/c');
  await until(() => route('/one/:id').waiting === 1, 'a request without a permit');
  second.leave();
  await until(() => route('/one/:id').waiting === 0, 'the permit to pass on');
  scene.stage.release('block', 'c');
  expect((await blocking.response).status).toBe(200);
  expect((await third.response).status).toBe(200);
  expect(scene.stage.started).toEqual(['block', 'c']);
});

test('a permit is not lost with the shard of its request', async () => {
  await start({ shards: 2 });
  const [first, second] = await line('/fatal/:id', '/fatal', ['a', 'b']);
  scene.stage.release('a');
  expect(await outcome(first.response)).toEqual([502, 'SHARD_LOST']);
  await started(2);
  scene.stage.release('b');
  expect(await outcome(second.response)).toEqual([502, 'SHARD_LOST']);
  await until(() => scene.running.server.stats().shards.every(({ state }) => state === 'ready'), 'the replacements');
});

test('without a shard, thousands of requests that wait for a permit are rejected, and the server survives', async () => {
  // The size of responses is not known yet, so 64 KiB are assumed for each.
  await start({
    shards: 1,
    memory: { slots: 16_384 },
    scheduling: { maxQueue: 8_192 },
    limits: { maxBufferedBytes: 60 * 65_536 },
    recovery: { maxRestarts: 1 },
    ...ONE_HTTP_THREAD,
  });
  const shard = () => scene.running.server.stats().shards[0];
  // The second end opens the circuit: the shard is not replaced for 10 s.
  const first = await scene.stage.send(scene.running, '/fatal/first');
  await started(1);
  scene.stage.release('first');
  expect((await first.response).status).toBe(502);
  await until(() => shard().restarts === 1 && shard().state === 'ready', 'the replacement');
  await scene.stage.send(scene.running, '/fatal/a');
  await started(2);
  const clients = await Promise.all(Array.from({ length: 120 }, () => RawClient.open(scene.running.port)));
  for (const client of clients) client.write(get(scene.stage.target('/fatal/b')).repeat(60));
  await until(() => route('/fatal/:id').waiting === 7_200, 'the requests to wait');
  scene.stage.release('a');
  for (const client of clients) {
    for (let i = 0; i < 60; i++) expect(await outcome(client.response())).toEqual([503, 'NO_SHARD']);
    client.destroy();
  }
  expect([shard().state, await outcome(exchange(scene.running.port, get('/nothing')))]).toEqual([
    'ended',
    [404, 'NOT_FOUND'],
  ]);
});

test('a ring full of requests whose clients have disconnected accepts the next one, and keeps no permit', async () => {
  await start({ shards: 1, scheduling: { permits: 1 }, memory: { slots: 4 }, ...ONE_HTTP_THREAD });
  await scene.stage.send(scene.running, '/hold/a');
  await started(1);
  const oldest = await scene.stage.send(scene.running, '/run/b');
  for (let i = 0; i < 3; i++) {
    const leaving = await scene.stage.send(scene.running, '/run/c');
    await until(() => scene.running.server.stats().slots.free === 1, 'the request to arrive');
    leaving.leave();
    await until(() => scene.running.server.stats().slots.free === 2, 'the client to disconnect');
  }
  const next = await scene.stage.send(scene.running, '/one/run/d');
  await until(() => route('/one/run/:id').permits.available === 0, 'the request to arrive');
  scene.stage.release('a');
  expect([(await oldest.response).status, (await next.response).status]).toEqual([200, 200]);
  expect(route('/one/run/:id').permits).toEqual({ available: 1, limit: 1 });
  expect((await (await scene.stage.send(scene.running, '/one/run/e')).response).status).toBe(200);
});

// ── setPermits ────────────────────────────────────────────────────────────────────────────────────────────────────────

test('more permits of a route start queued requests immediately, even while all threads sleep', async () => {
  await start({ shards: 1, ...ONE_HTTP_THREAD });
  const [first, second, third] = await line('/one/:id', '/one', ['a', 'b', 'c']);
  const { parks } = scene.running.server.stats().shards[0];
  expect((await exchange(scene.running.port, get('/thread'))).status).toBe(200);
  const answered = performance.now();
  // The HTTP thread goes to sleep after some turns, but does not show when.
  const asleep = () => scene.running.server.stats().shards[0].parks > parks && performance.now() - answered > 100;
  await until(asleep, 'both threads to sleep');
  const begin = performance.now();
  scene.running.server.setPermits(2, { route: 'GET /one/:id' });
  await started(2);
  // Without a doorbell, it would be found only by a check once a second.
  expect(performance.now() - begin).toBeLessThan(900);
  scene.running.server.setPermits(1, { route: 'GET /one/:id' });
  scene.stage.release('a');
  await first.response;
  expect(scene.stage.started).toEqual(['a', 'b']);
  scene.stage.release('b', 'c');
  await Promise.all([second.response, third.response]);
  expect(scene.stage.started).toEqual(['a', 'b', 'c']);
});

test('more permits wake a shard that has used all', async () => {
  await start({ shards: 1, scheduling: { permits: 1 } });
  const first = await scene.stage.send(scene.running, '/wait/a');
  await started(1);
  const second = await scene.stage.send(scene.running, '/run/b');
  await until(() => scene.running.server.stats().shards[0].queued === 1, 'a request to wait');
  scene.running.server.setPermits(2);
  expect((await second.response).status).toBe(200);
  expect(scene.running.server.stats().shards[0].permits).toEqual({ available: 1, limit: 2 });
  scene.stage.release('a');
  await first.response;
});

test('fewer permits do not affect running handlers, and delay new ones until enough are released', async () => {
  await start({ shards: 1, scheduling: { permits: 3 } });
  const pending = await Promise.all(['a', 'b', 'c'].map((id) => scene.stage.send(scene.running, `/wait/${id}`)));
  await started(3);
  const last = await scene.stage.send(scene.running, '/run/d');
  await until(() => scene.running.server.stats().shards[0].queued === 1, 'a request to wait');
  scene.running.server.setPermits(1, { shard: 0 });
  for (const [i, id] of ['a', 'b'].entries()) {
    scene.stage.release(id);
    await pending[i].response;
    const [{ permits, queued }] = scene.running.server.stats().shards;
    expect([permits, queued]).toEqual([{ available: 0, limit: 1 }, 1]);
  }
  expect(scene.stage.started).not.toContain('d');
  scene.stage.release('c');
  await last.response;
  expect(scene.stage.started.at(-1)).toBe('d');
});

test('changed permits outlive their shard', async () => {
  await start({ shards: 1 });
  scene.running.server.setPermits(7, { group: 'default' });
  const dying = await scene.stage.send(scene.running, '/die/a');
  scene.stage.release('a');
  expect((await dying.response).status).toBe(502);
  await until(() => scene.running.server.stats().shards[0].state === 'ready', 'the replacement');
  expect(scene.running.server.stats().shards[0].permits).toEqual({ available: 7, limit: 7 });
});

test('setPermits rejects invalid arguments', async () => {
  await start({ shards: 2 });
  const refused: [() => void, string][] = [
    [() => scene.running.server.setPermits(0), 'Option `permits` must be an integer from 1 to 65536, got 0.'],
    [
      () => scene.running.server.setPermits(1, { shard: 2 }),
      'Option `shard` must be the number of a shard: `0` or `1`, got 2.',
    ],
    [() => scene.running.server.setPermits(1, { group: 'cpu' }), "Option `group` must be `default`, got 'cpu'."],
    [() => scene.running.server.setPermits(1, { route: 'GET /run/:id' }), 'it was defined without `maxConcurrency`'],
  ];
  for (const [call, message] of refused) {
    expect(call).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    );
  }
});
