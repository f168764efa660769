import { expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { get, RawClient } from './support/client.js';
import { startHttpThreads } from './support/http-threads.js';
import { parseMetrics } from './support/metrics.js';
import { ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { useStage } from './support/stage.js';

/* How long other requests have waited because of a route. */

const scene = useStage();
/** Maximum difference between the clocks of two threads, in seconds, for each request. */
const SKEW_S = 0.001;

async function start(options: ServeOptions = {}): Promise<void> {
  scene.running = await startServer({ shards: 1, ...ONE_HTTP_THREAD, ...options }, 'scheduling-app.js');
}

/** Seconds by route. */
async function blocked(route: string): Promise<number> {
  const metrics = parseMetrics(await scene.running.server.metrics());
  return metrics.get(`loopshard_blocked_seconds_total{route="${route}"}`) ?? Number.NaN;
}

async function queueTime(route: string): Promise<number> {
  const metrics = parseMetrics(await scene.running.server.metrics());
  return metrics.get(`loopshard_queue_time_seconds_sum{route="${route}"}`)!;
}

test('requests that wait in turn are blocked for as long as they are queued', async () => {
  await start();
  const client = await RawClient.open(scene.running.port);
  client.write(get('/busy/20').repeat(5));
  for (let i = 0; i < 5; i++) await client.response();
  client.destroy();
  // The first keeps four waiting, the next three, two and one.
  expect(await blocked('GET /busy/:ms')).toBeGreaterThan((4 + 3 + 2 + 1) * 0.02 - SKEW_S);
  // The first one may have waited for its shard to wake up, and the others with it.
  expect(await blocked('GET /busy/:ms')).toBeLessThan((await queueTime('GET /busy/:ms')) + 5 * SKEW_S);
});

test.each([1, 2])('a request counts from its arrival, with %i HTTP threads', async (httpThreads) => {
  const running = await startHttpThreads(httpThreads, { shards: 1 }, 'scheduling-app.js');
  scene.running = running;
  const holding = await scene.stage.send(running, '/hold/a');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  const begin = performance.now();
  await until(() => performance.now() - begin > 50, 'some time alone');
  const clients = await Promise.all(running.ports.map((port) => RawClient.open(port)));
  for (const client of clients) client.write(get('/thread'));
  await until(() => running.server.stats().shards[0].queued === httpThreads, 'those that wait');
  const arrival = performance.now();
  await until(() => performance.now() - arrival > 100, 'some time together');
  scene.stage.release('a');
  expect((await holding.response).status).toBe(200);
  for (const client of clients) {
    expect((await client.response()).status).toBe(200);
    client.destroy();
  }
  const seconds = await blocked('GET /hold/:id');
  expect(seconds).toBeGreaterThan(httpThreads * 0.1);
  // They have waited for nothing else, but for each other.
  const ofAll = seconds + (await blocked('GET /thread'));
  expect(ofAll).toBeLessThan((await queueTime('GET /thread')) + httpThreads * SKEW_S);
});

test('a handler that blocks nobody has blocked for no time, however long it takes', async () => {
  await start();
  const client = await RawClient.open(scene.running.port);
  for (const path of ['/busy/30', '/sleep/30', '/busy/30']) {
    client.write(get(path));
    await client.response();
  }
  client.destroy();
  expect(await blocked('GET /busy/:ms')).toBe(0);
  expect(await blocked('GET /sleep/:ms')).toBe(0);
});

test('a handler that computes after an await blocks those that arrive meanwhile', async () => {
  await start();
  const [first, second] = [await RawClient.open(scene.running.port), await RawClient.open(scene.running.port)];
  first.write(get('/busy-later/150'));
  await until(() => {
    const [{ permits }] = scene.running.server.stats().shards;
    return permits.available < permits.limit;
  }, 'the handler');
  second.write(get('/thread'));
  for (const client of [first, second]) {
    expect((await client.response()).status).toBe(200);
    client.destroy();
  }
  const seconds = await blocked('GET /busy-later/:ms');
  expect(seconds).toBeGreaterThan(0.1);
  expect(seconds).toBeLessThan((await queueTime('GET /thread')) + SKEW_S);
});

test('others that take the requests over end the waiting', async () => {
  await start({ shards: 2, scheduling: { dispatch: 'round-robin' } });
  const holding = await scene.stage.send(scene.running, '/hold/a');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  const client = await RawClient.open(scene.running.port);
  client.write(get('/thread').repeat(20));
  for (let i = 0; i < 20; i++) expect((await client.response()).status).toBe(200);
  client.destroy();
  scene.stage.release('a');
  expect((await holding.response).status).toBe(200);
  expect(await blocked('GET /hold/:id')).toBe(0);
});
