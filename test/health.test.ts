import { expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, field, get, RawClient } from './support/client.js';
import { startServer, until } from './support/server.js';
import { useStage } from './support/stage.js';

const scene = useStage();

async function start(options: ServeOptions): Promise<void> {
  scene.running = await startServer({ shards: 1, ...options }, 'scheduling-app.js');
}

async function look(target: string) {
  const response = await exchange(scene.running.port, get(target));
  return { status: response.status, ...JSON.parse(response.body.toString()) };
}

const ready = { status: 'ready' };
const notReady = (reason: string) => ({ status: 'not ready', reason });

async function expectReadiness(status: number, body: object): Promise<void> {
  const response = await exchange(scene.running.port, get('/readyz'));
  expect([response.status, JSON.parse(response.body.toString())]).toEqual([status, body]);
}

test('is off by default', async () => {
  await start({});
  for (const path of ['/livez', '/readyz']) expect((await look(path)).code).toBe('NOT_FOUND');
});

test('responds while every shard is busy, and forbids caching', async () => {
  await start({ health: true, scheduling: { permits: 1 } });
  const blocking = await scene.stage.send(scene.running, '/hold/block');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  await expectReadiness(200, ready);
  const response = await exchange(scene.running.port, get('/livez'));
  expect([response.status, JSON.parse(response.body.toString())]).toEqual([200, { status: 'live' }]);
  expect(field(response, 'cache-control')).toBe('no-store');
  const client = await RawClient.open(scene.running.port);
  client.write(get('/livez').replace('GET', 'HEAD') + get('/livez'));
  expect((await client.response({ hasBody: false })).status).toBe(200);
  const next = await client.response();
  expect([next.statusLine, next.body.toString()]).toEqual(['HTTP/1.1 200 OK', '{"status":"live"}']);
  client.destroy();
  scene.stage.release('block');
  await blocking.response;
  expect(scene.running.server.stats().shards[0].requests).toBe(1);
});

test.each(['OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])('responds to %s as to GET', async (method) => {
  await start({ health: true, timeouts: { drainDelayMs: 400 } });
  const ask = (path: string) =>
    exchange(scene.running.port, get(path, 'Content-Length: 2').replace('GET', method).concat('{}'), method !== 'HEAD');
  const live = await ask('/livez');
  expect([live.status, field(live, 'content-length')]).toEqual([200, '17']);
  expect((await ask('/readyz')).status).toBe(200);
  const closing = scene.running.server.close();
  const draining = await ask('/readyz');
  expect([draining.status, field(draining, 'cache-control')]).toEqual([503, 'no-store']);
  if (method !== 'HEAD') expect(JSON.parse(draining.body.toString())).toEqual(notReady('draining'));
  await closing;
});

test('can have other paths', async () => {
  await start({ health: { livez: '/health/live', readyz: '/health/ready' } });
  expect((await look('/health/live')).status).toBe('live');
  expect((await look('/health/ready')).status).toBe('ready');
  expect((await look('/livez')).code).toBe('NOT_FOUND');
});

test('a path that is already a route is rejected at the start', async () => {
  await start({});
  await expect(startServer({ health: { livez: '/thread' } }, 'scheduling-app.js')).rejects.toMatchObject({
    code: 'ROUTE_DUPLICATE',
    message: 'The path /thread of the option `health` is also a route of the app. Give one of them another path.',
  });
});

test('is not ready while the server drains, which keeps responding for drainDelayMs', async () => {
  await start({ health: true, timeouts: { drainDelayMs: 400 } });
  const begin = performance.now();
  const closing = scene.running.server.close();
  expect(scene.running.server.state).toBe('draining');
  await expectReadiness(503, notReady('draining'));
  // New connections are accepted, and closed after one response.
  for (const target of ['/thread', '/livez']) {
    const client = await RawClient.open(scene.running.port);
    client.write(get(target));
    const response = await client.response();
    expect([response.status, field(response, 'connection')]).toEqual([200, 'close']);
    await client.closed();
    client.destroy();
  }
  await closing;
  expect(performance.now() - begin).toBeGreaterThanOrEqual(399);
});

test('a server that is destroyed does not wait for the end of drainDelayMs', async () => {
  await start({ timeouts: { drainDelayMs: 60_000 } });
  const begin = performance.now();
  const closing = scene.running.server.close();
  await scene.running.server.destroy();
  await closing;
  expect(performance.now() - begin).toBeLessThan(30_000);
  expect(scene.running.server.state).toBe('closed');
});

test('is not ready while it sheds for longer than shedGraceMs', async () => {
  await start({ health: { shedGraceMs: 100 }, scheduling: { shed: { targetMs: 20, intervalMs: 40 } } });
  const blocking = await scene.stage.send(scene.running, '/hold/block');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  let since = 0;
  scene.running.server.on('shedding', () => {
    since = performance.now();
  });
  await scene.stage.send(scene.running, '/high/a');
  await until(() => since > 0, 'the shedding');
  let unready = 0;
  await until(async () => {
    const { status } = await look('/readyz');
    unready = performance.now();
    return status === 'not ready';
  }, 'the end of the grace');
  expect(unready - since).toBeGreaterThanOrEqual(100);
  await expectReadiness(503, notReady('overloaded'));
  expect((await look('/livez')).status).toBe('live');
  scene.stage.release('block');
  await blocking.response;
  await until(async () => (await look('/readyz')).status === 'ready', 'the end of the shedding');
});

test('is not ready while a group has no shard', async () => {
  await start({ health: true });
  const dying = await scene.stage.send(scene.running, '/die/a');
  await until(() => scene.stage.started.length === 1, 'the start');
  await expectReadiness(200, ready);
  const seen: unknown[] = [];
  scene.running.server.on('shard', ({ state }) => {
    if (state === 'loading') void look('/readyz').then((health) => seen.push(health.reason));
  });
  scene.stage.release('a');
  expect((await dying.response).status).toBe(502);
  await until(() => seen.length === 1, 'a health check while the thread starts');
  expect(seen).toEqual(['no shards']);
  await until(async () => (await look('/readyz')).status === 'ready', 'the replacement');
});
