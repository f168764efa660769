import { describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, get, post, RawClient } from './support/client.js';
import { startHttpThreads } from './support/http-threads.js';
import { type Metrics, ofName, parseMetrics, sumOf } from './support/metrics.js';
import { createRandom } from './support/random.js';
import { ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { useStage } from './support/stage.js';

const scene = useStage();

async function start(options: ServeOptions = {}): Promise<void> {
  scene.running = await startServer({ shards: 1, ...ONE_HTTP_THREAD, ...options }, 'scheduling-app.js');
}

const look = async () => parseMetrics(await scene.running.server.metrics());

/** What one histogram has counted for a route: count, sum in seconds, and the bounds of the buckets with a difference. */
function timesOf(metrics: Metrics, name: string, route: string) {
  const labels = `{route="${route}"`;
  const buckets = [...metrics].filter(([key]) => key.startsWith(`${name}_bucket${labels}`));
  const counts = buckets.map(([, count]) => count);
  expect([...counts].sort((a, b) => a - b)).toEqual(counts);
  const count = metrics.get(`${name}_count${labels}}`);
  expect(counts.at(-1)).toBe(count);
  return { count, sum: metrics.get(`${name}_sum${labels}}`)! };
}

/** The number of times up to `seconds`, which must be a bound. */
function within(metrics: Metrics, name: string, route: string, seconds: string): number | undefined {
  return metrics.get(`${name}_bucket{route="${route}",le="${seconds}"}`);
}

describe.each([1, 2])('with %i HTTP threads', (httpThreads) => {
  test('responses are counted by route, method and status, and bytes exactly', async () => {
    const random = createRandom();
    const running = await startHttpThreads(httpThreads, { shards: 2, health: true }, 'scheduling-app.js');
    scene.running = running;
    // The bytes of a request, its labels, and whether the response has a body.
    const kinds: [bytes: string | Buffer, labels: string, hasBody?: false][] = [
      [get('/thread'), 'route="GET /thread",method="GET",status="200"'],
      [get('/thread').replace('GET', 'HEAD'), 'route="GET /thread",method="HEAD",status="200"', false],
      [get('/sleep/1'), 'route="GET /sleep/:ms",method="GET",status="200"'],
      [get('/busy/1'), 'route="GET /busy/:ms",method="GET",status="200"'],
      [post(scene.stage.target('/large/a'), 'x'.repeat(100_000)), 'route="POST /large/:id",method="POST",status="200"'],
      [get('/fixed/json'), 'route="GET /fixed/json",method="GET",status="200"'],
      [get('/livez'), 'route="GET /livez",method="GET",status="200"'],
      [get('/nothing/here?at=all'), 'route="unmatched",method="GET",status="404"'],
      [post('/thread', ''), 'route="unmatched",method="POST",status="405"'],
      [get('/wait/a'), 'route="GET /wait/:id",method="GET",status="500"'],
    ];
    const expected: Record<string, number> = {};
    const clients = await Promise.all(running.ports.map((port) => RawClient.open(port)));
    for (let i = 0; i < 400; i++) {
      const [bytes, labels, hasBody] = kinds[Math.floor(random() * kinds.length)];
      const client = clients[Math.floor(random() * clients.length)];
      client.write(bytes);
      await client.response({ hasBody: hasBody !== false });
      expected[`{${labels}}`] = (expected[`{${labels}}`] ?? 0) + 1;
    }
    const broken = await RawClient.open(running.port);
    broken.write('this is not HTTP\r\n\r\n');
    expect((await broken.response()).status).toBe(400);
    await broken.closed();
    expected['{route="unmatched",method="unknown",status="400"}'] = 1;
    // Counted right after the write, which the client may see earlier.
    await until(async () => sumOf(await look(), 'loopshard_requests_total') === 401, 'the count of the last response');
    const metrics = await look();
    expect(ofName(metrics, 'loopshard_requests_total')).toEqual(expected);
    const all = [...clients, broken].map(({ socket }) => socket);
    expect(sumOf(metrics, 'loopshard_received_bytes_total')).toBe(all.reduce((sum, one) => sum + one.bytesWritten, 0));
    expect(sumOf(metrics, 'loopshard_sent_bytes_total')).toBe(all.reduce((sum, one) => sum + one.bytesRead, 0));
    expect(metrics.get('loopshard_connections_total')).toBe(httpThreads + 1);
    await until(async () => (await look()).get('loopshard_connections') === httpThreads, 'the end of a connection');
    // What the shards have counted is what the HTTP threads have: every handler that was called has responded.
    const byHandlers = Object.entries(expected).filter(([labels]) => !/unmatched|fixed|livez/.test(labels));
    const handlers = byHandlers.reduce((sum, [, count]) => sum + count, 0);
    expect(sumOf(metrics, 'loopshard_shard_handlers_total')).toBe(handlers);
    for (const kind of ['request', 'queue', 'handler', 'loop']) {
      expect(sumOf(metrics, `loopshard_${kind}_time_seconds_count`)).toBe(handlers);
    }
    for (const client of clients) client.destroy();
  });

  test('rejections are counted by code, and so are free slots', async () => {
    const one = await startHttpThreads(
      httpThreads,
      { shards: 1, memory: { slots: 2 * httpThreads } },
      'scheduling-app.js',
    );
    scene.running = one;
    const waiting = await scene.stage.send(one, '/wait/a');
    await until(() => scene.stage.started.length === 1, 'the handler');
    // One slot of each thread is for requests of high priority.
    for (let i = 0; i < 3; i++) expect((await exchange(one.port, get('/thread'))).status).toBe(503);
    const refused = async () => ofName(await look(), 'loopshard_requests_refused_total');
    await until(async () => (await refused())['{code="NO_SLOT"}'] === 3, 'the figures');
    await until(async () => (await look()).get('loopshard_slots_free') === 2 * httpThreads - 1, 'all figures');
    const metrics = await look();
    expect(ofName(metrics, 'loopshard_requests_total')).toEqual({
      '{route="GET /thread",method="GET",status="503"}': 3,
    });
    expect(metrics.get('loopshard_slots')).toBe(2 * httpThreads);
    scene.stage.release('a');
    expect((await waiting.response).status).toBe(200);
  });
});

test('times are counted by route: in the queue, in the handler, and on the loop', async () => {
  await start();
  const { port } = scene.running;
  const client = await RawClient.open(port);
  // They arrive together and take 20 ms each, so the last one waits for 80 ms.
  client.write(get('/busy/20').repeat(5));
  for (let i = 0; i < 5; i++) await client.response();
  client.write(get('/busy-later/20') + get('/sleep/60'));
  for (let i = 0; i < 2; i++) await client.response();
  client.destroy();
  const metrics = await look();
  const times = (name: string, route: string) => timesOf(metrics, `loopshard_${name}_time_seconds`, route);
  const busy = 'GET /busy/:ms';
  for (const name of ['request', 'queue', 'handler', 'loop']) expect(times(name, busy).count).toBe(5);
  expect(times('loop', busy).sum).toBeGreaterThan(0.095);
  expect(times('queue', busy).sum).toBeGreaterThan(0.02 + 0.04 + 0.06 + 0.08 - 0.01);
  const both = times('queue', busy).sum + times('handler', busy).sum;
  expect(times('request', busy).sum).toBeCloseTo(both, 3);
  // The first of them may be late, the others wait for at least 20 ms.
  expect(within(metrics, 'loopshard_queue_time_seconds', busy, '0.01')).toBeLessThanOrEqual(1);
  expect(within(metrics, 'loopshard_loop_time_seconds', busy, '0.01')).toBe(0);
  // A handler that blocks after an await blocks others just the same.
  expect(times('loop', 'GET /busy-later/:ms').sum).toBeGreaterThan(0.019);
  // One that only waits blocks nobody.
  expect(times('handler', 'GET /sleep/:ms').sum).toBeGreaterThan(0.059);
  expect(times('loop', 'GET /sleep/:ms').sum).toBeLessThan(0.03);
});

test('gauges show requests by place, permits and the age of the queue', async () => {
  await start({ scheduling: { permits: 1 } });
  const pending = [await scene.stage.send(scene.running, '/wait/a')];
  await until(() => scene.stage.started.length === 1, 'the start');
  pending.push(await scene.stage.send(scene.running, '/run/b'), await scene.stage.send(scene.running, '/run/c'));
  const ofShard = async () => {
    const metrics = await look();
    return (name: string) => metrics.get(`loopshard_shard_${name}{shard="0",group="default"}`);
  };
  await until(async () => (await ofShard())('queued') === 2, 'two requests to wait');
  await until(async () => (await ofShard())('queue_age_seconds')! > 0.02, 'some time');
  const shard = await ofShard();
  expect(['outstanding', 'queued', 'permits', 'permits_available', 'ready', 'restarts_total'].map(shard)).toEqual([
    3, 2, 1, 0, 1, 0,
  ]);
  scene.running.server.setPermits(7);
  expect((await ofShard())('permits')).toBe(7);
  scene.stage.release('a');
  for (const { response } of pending) expect((await response).status).toBe(200);
  await until(async () => (await ofShard())('queue_age_seconds') === 0, 'an empty queue');
  expect((await ofShard())('outstanding')).toBe(0);
});

test('gauges show permits of routes, and requests that wait for them', async () => {
  await start();
  const pending = [await scene.stage.send(scene.running, '/two/a'), await scene.stage.send(scene.running, '/two/b')];
  await until(() => scene.stage.started.length === 2, 'two handlers');
  pending.push(await scene.stage.send(scene.running, '/two/c'));
  const ofRoute = (metrics: Metrics, name: string) => metrics.get(`loopshard_route_${name}{route="GET /two/:id"}`);
  await until(async () => ofRoute(await look(), 'waiting') === 1, 'a request that waits');
  const metrics = await look();
  expect([ofRoute(metrics, 'permits'), ofRoute(metrics, 'permits_available')]).toEqual([2, 0]);
  scene.stage.release('a', 'b', 'c');
  for (const { response } of pending) expect((await response).status).toBe(200);
  expect(ofRoute(await look(), 'permits_available')).toBe(2);
});

test('idle shards are seen to steal, and busy loops to be active', async () => {
  await start({ shards: 2, scheduling: { dispatch: 'round-robin' } });
  const holding = await scene.stage.send(scene.running, '/hold/a');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  const client = await RawClient.open(scene.running.port);
  client.write(get('/thread').repeat(10));
  for (let i = 0; i < 10; i++) await client.response();
  client.destroy();
  const active = (metrics: Metrics) => ofName(metrics, 'loopshard_shard_loop_active_seconds_total');
  const before = await look();
  expect(sumOf(before, 'loopshard_shard_steals_total')).toBeGreaterThan(0);
  const begin = performance.now();
  await until(() => performance.now() - begin > 100, 'some time');
  const after = await look();
  const grown = Object.keys(active(before)).map((labels) => active(after)[labels] - active(before)[labels]);
  expect(Math.max(...grown)).toBeGreaterThan(0.095);
  expect(Math.min(...grown)).toBeLessThan(0.08);
  scene.stage.release('a');
  expect((await holding.response).status).toBe(200);
});

test('counts continue after a shard was replaced', async () => {
  await start({ shards: 1 });
  for (let i = 0; i < 3; i++) await exchange(scene.running.port, get('/thread'));
  const dying = await scene.stage.send(scene.running, '/die/a');
  scene.stage.release('a');
  expect((await dying.response).status).toBe(502);
  await until(() => scene.running.server.stats().shards[0].state === 'ready', 'the replacement');
  await exchange(scene.running.port, get('/thread'));
  const metrics = await look();
  expect(metrics.get('loopshard_shard_restarts_total{shard="0",group="default"}')).toBe(1);
  expect(timesOf(metrics, 'loopshard_handler_time_seconds', 'GET /thread').count).toBe(4);
  expect(metrics.get('loopshard_shard_handlers_total{shard="0",group="default"}')).toBe(5);
  expect(metrics.get('loopshard_requests_total{route="GET /die/:id",method="GET",status="502"}')).toBe(1);
});

test('counts of a route continue after a reload', async () => {
  await start();
  const labels = '{route="GET /thread",method="GET",status="200"}';
  const request = () => exchange(scene.running.port, get('/thread'));
  for (let i = 0; i < 3; i++) await request();
  for (let reloads = 1; reloads <= 2; reloads++) {
    await scene.running.server.reload();
    await request();
    const metrics = await look();
    expect(ofName(metrics, 'loopshard_requests_total')).toEqual({ [labels]: 3 + reloads });
    expect(timesOf(metrics, 'loopshard_handler_time_seconds', 'GET /thread').count).toBe(3 + reloads);
    expect(metrics.get('loopshard_reloads_total{result="succeeded"}')).toBe(reloads);
  }
  await until(async () => (await look()).get('loopshard_retiring') === 0, 'the end of the old shards');
  expect(ofName(await look(), 'loopshard_requests_total')).toEqual({ [labels]: 5 });
});

test('a stream is counted with its first bytes, and as aborted if its client disconnects', async () => {
  scene.running = await startServer({ shards: 1, ...ONE_HTTP_THREAD }, 'http-threads-app.js');
  const client = await RawClient.open(scene.running.port);
  client.write(get('/ticks/a'));
  await client.response({ hasBody: false });
  const labels = 'loopshard_requests_total{route="GET /ticks/:name",method="GET",status="200"}';
  expect((await look()).get(labels)).toBe(1);
  expect((await look()).get('loopshard_shard_streams{shard="0",group="default"}')).toBe(1);
  const { bytesRead } = client.socket;
  expect(sumOf(await look(), 'loopshard_sent_bytes_total')).toBeGreaterThanOrEqual(bytesRead);
  client.socket.resetAndDestroy();
  await until(async () => (await look()).get('loopshard_requests_aborted_total') === 1, 'the disconnect');
  expect(sumOf(await look(), 'loopshard_handler_time_seconds_count')).toBe(1);
});

test('labels do not depend on what clients send', async () => {
  scene.running = await startServer({ shards: 1, ...ONE_HTTP_THREAD }, 'scheduling-app.js');
  const random = createRandom();
  for (let i = 0; i < 100; i++) await exchange(scene.running.port, get(`/${random()}/${random()}?${random()}`));
  for (let i = 0; i < 20; i++) await exchange(scene.running.port, get(`/sleep/${Math.floor(random() * 3)}`));
  const metrics = await look();
  expect(ofName(metrics, 'loopshard_requests_total')).toEqual({
    '{route="unmatched",method="GET",status="404"}': 100,
    '{route="GET /sleep/:ms",method="GET",status="200"}': 20,
  });
});

test('statuses that HTTP does not define are counted by class', async () => {
  scene.running = await startServer({ shards: 1, ...ONE_HTTP_THREAD }, 'metrics-app.js');
  for (const status of [200, 418, 299, 499, 498]) await exchange(scene.running.port, get(`/status/${status}`));
  const counted = Object.entries(ofName(await look(), 'loopshard_requests_total'));
  expect(counted.map(([labels, count]) => [labels.match(/status="(.*)"/)![1], count])).toEqual(
    expect.arrayContaining([
      ['200', 1],
      ['2xx', 1],
      ['418', 1],
      ['4xx', 2],
    ]),
  );
});

test('heap and memory are plausible', async () => {
  await start();
  const metrics = await look();
  const heap = (what: string) => metrics.get(`loopshard_shard_${what}_bytes{shard="0",group="default"}`)!;
  expect(heap('heap_used')).toBeGreaterThan(1e6);
  expect(heap('heap_total')).toBeGreaterThanOrEqual(heap('heap_used'));
  expect(heap('heap_limit')).toBeGreaterThan(heap('heap_total'));
  const resident = metrics.get('process_resident_memory_bytes')!;
  expect(Math.abs(resident - process.memoryUsage.rss()) / resident).toBeLessThan(0.2);
});

test('without metrics nothing is counted, and `metrics()` says so', async () => {
  await start({ metrics: false });
  expect((await exchange(scene.running.port, get('/thread'))).status).toBe(200);
  await expect(scene.running.server.metrics()).rejects.toMatchObject({
    code: 'METRICS_DISABLED',
    message: 'The server does not count metrics. Start it without `metrics: false`.',
  });
});
