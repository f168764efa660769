import { describe, expect, test } from '@jest/globals';
import { askAdmin } from './support/admin.js';
import { get, RawClient } from './support/client.js';
import { startHttpThreads } from './support/http-threads.js';
import { ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { useStage } from './support/stage.js';

/* What the shards are doing, as the page shows it. */

const scene = useStage();
describe.each([1, 2])('with %i HTTP threads', (httpThreads) => {
  test('a shard shows what it runs and for how long, and who waits for it and for how long', async () => {
    const running = await startHttpThreads(httpThreads, { shards: 1, admin: { port: 0 } }, 'scheduling-app.js');
    scene.running = running;
    const look = async () => (await askAdmin(running, '/activity')).body.shards[0];
    expect(await look()).toMatchObject({ state: 'ready', inFlight: { count: 0 }, waiting: { count: 0 } });
    expect((await look()).running).toBeUndefined();
    const awaiting = await scene.stage.send(running, '/wait/a');
    await until(() => scene.stage.started.length === 1, 'the handler that awaits');
    const holding = await scene.stage.send(running, '/sticky/hold/b');
    await until(() => scene.stage.started.length === 2, 'the handler that blocks');
    const clients = await Promise.all(running.ports.map((port) => RawClient.open(port)));
    for (const client of clients) client.write(get('/thread').repeat(3));
    await until(async () => (await look()).waiting.count === 3 * httpThreads, 'those that wait');
    const first = await look();
    expect(first.running.route).toBe('GET /sticky/hold/:id');
    expect(first.inFlight.routes.map(({ route }: { route: string }) => route)).toEqual([
      'GET /wait/:id',
      'GET /sticky/hold/:id',
    ]);
    expect(first.waiting.routes).toEqual([{ route: 'GET /thread', count: 3 * httpThreads, us: expect.any(Number) }]);
    await until(async () => (await look()).running.us > first.running.us + 20_000, 'some time');
    const second = await look();
    expect(second.waiting.routes[0].us).toBeGreaterThan(first.waiting.routes[0].us + 15_000);
    expect(second.inFlight.routes[0].us).toBeGreaterThan(second.running.us);
    scene.stage.release('b');
    expect((await holding.response).status).toBe(200);
    for (const client of clients) for (let i = 0; i < 3; i++) expect((await client.response()).status).toBe(200);
    // A handler that awaits occupies no event loop.
    await until(async () => (await look()).running === undefined, 'a free event loop');
    expect((await look()).inFlight).toMatchObject({ count: 1, routes: [{ route: 'GET /wait/:id' }] });
    scene.stage.release('a');
    expect((await awaiting.response).status).toBe(200);
    for (const client of clients) client.destroy();
  });
});

test('steals are counted by the shard from which requests were taken', async () => {
  const running = await startServer(
    { shards: 3, ...ONE_HTTP_THREAD, admin: { port: 0 }, scheduling: { dispatch: 'round-robin' } },
    'scheduling-app.js',
  );
  scene.running = running;
  const holding = await scene.stage.send(running, '/sticky/hold/a');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  const look = async () => {
    const { shards } = (await askAdmin(running, '/activity')).body;
    return [...shards].sort((a, b) => Number(b.running !== undefined) - Number(a.running !== undefined));
  };
  // The shard may have taken the request from another one.
  const [{ stolen: stolenBefore }] = await look();
  const client = await RawClient.open(running.port);
  client.write(get('/thread').repeat(30));
  for (let i = 0; i < 30; i++) await client.response();
  client.destroy();
  const [blocked, ...others] = await look();
  expect(blocked.stolen).toEqual(stolenBefore);
  const stolen = others.flatMap((one: { stolen: { from: number; count: number }[] }) => one.stolen);
  const ofBlocked = stolen.filter(({ from }) => from === blocked.shard);
  expect(ofBlocked.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(0);
  for (const { steals, stolen: own } of others) {
    expect(own.reduce((sum: number, { count }: { count: number }) => sum + count, 0)).toBe(steals);
  }
  scene.stage.release('a');
  expect((await holding.response).status).toBe(200);
});

test('without metrics, a shard shows what it runs too', async () => {
  const running = await startServer(
    { shards: 1, ...ONE_HTTP_THREAD, admin: { port: 0 }, metrics: false },
    'scheduling-app.js',
  );
  scene.running = running;
  const holding = await scene.stage.send(running, '/sticky/hold/a');
  await until(() => scene.stage.started.length === 1, 'the handler that blocks');
  const { server, shards } = (await askAdmin(running, '/activity')).body;
  expect([server.hasMetrics, shards[0].running.route]).toEqual([false, 'GET /sticky/hold/:id']);
  scene.stage.release('a');
  expect((await holding.response).status).toBe(200);
});
