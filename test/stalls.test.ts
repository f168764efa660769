import { describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, get } from './support/client.js';
import { startServer, until } from './support/server.js';
import { useStage } from './support/stage.js';

const scene = useStage();
/** Arguments of the emitted events. */
let changes: { group: string; stalled: boolean }[];

async function start(options: ServeOptions): Promise<void> {
  scene.running = await startServer(
    { shards: 2, health: true, ...options, scheduling: { permits: 2, ...options.scheduling } },
    'scheduling-app.js',
  );
  watch();
}

function watch(): void {
  changes = [];
  scene.running.server.on('stalled', (change) => void changes.push(change));
}

async function readiness(): Promise<[number, string | undefined]> {
  const { status, body } = await exchange(scene.running.port, get('/readyz'));
  return [status, JSON.parse(body.toString()).reason];
}

const stalled = () => scene.running.server.stats().shards.map((shard) => shard.stalled);

/** Starts handlers that hold permits until they are released. */
async function take(...ids: string[]): Promise<void> {
  for (const id of ids) await scene.stage.send(scene.running, `/wait/${id}`);
  await until(() => ids.every((id) => scene.stage.started.includes(id)), 'the start');
}

const pass = (ms: number) => {
  const end = performance.now() + ms;
  return until(() => performance.now() > end, 'the time to pass');
};

test('a group without free permits in which no handler settles is not ready, and the log says why', async () => {
  await start({ recovery: { stalledAfterMs: 300 } });
  const since = performance.now();
  await take('a', 'b', 'c', 'd');
  expect(await readiness()).toEqual([200, undefined]);
  await until(() => changes.length > 0, 'the end of the time');
  expect(performance.now() - since).toBeGreaterThan(299);
  expect([await readiness(), stalled()]).toEqual([
    [503, 'stalled'],
    [true, true],
  ]);
  scene.stage.release('a');
  await until(() => changes.length > 1, 'the end of the stall');
  expect([await readiness(), stalled()]).toEqual([
    [200, undefined],
    [false, false],
  ]);
  expect(changes).toEqual([
    { group: 'default', stalled: true },
    { group: 'default', stalled: false },
  ]);
  expect(scene.running.logged.map(({ message }) => message)).toEqual([
    'group default is stalled: all its permits are taken, and no handler has settled for 300 ms; set `timeouts.handlerTimeoutMs` to time out handlers that hang',
    'group default is no longer stalled',
  ]);
});

describe('a group is not stalled', () => {
  test('while one of its shards has a free permit', async () => {
    await start({ recovery: { stalledAfterMs: 100 } });
    await take('a', 'b', 'c');
    await pass(400);
    expect([changes, await readiness()]).toEqual([[], [200, undefined]]);
  });

  test('while handlers settle, however many requests are queued', async () => {
    await start({ shards: 1, scheduling: { permits: 1 }, recovery: { stalledAfterMs: 400 } });
    const waiting = Array.from({ length: 15 }, () => exchange(scene.running.port, get('/busy/80')));
    for (const response of await Promise.all(waiting)) expect(response.status).toBe(200);
    expect(changes).toEqual([]);
  });

  test('if stalledAfterMs is 0', async () => {
    await start({ shards: 1, scheduling: { permits: 1 }, recovery: { stalledAfterMs: 0 } });
    await take('a');
    await pass(300);
    expect([changes, await readiness()]).toEqual([[], [200, undefined]]);
  });
});

test('a single stalled group makes the server not ready', async () => {
  scene.running = await startServer(
    { groups: { default: 1, slow: 1 }, scheduling: { permits: 1 }, health: true, recovery: { stalledAfterMs: 100 } },
    'groups-app.js',
  );
  watch();
  const { response } = await scene.stage.send(scene.running, '/slow/a');
  await until(() => changes.length === 1, 'the stall');
  expect([await readiness(), stalled()]).toEqual([
    [503, 'stalled'],
    [false, true],
  ]);
  scene.stage.release('a');
  expect((await response).status).toBe(200);
  await until(() => changes.length === 2, 'its end');
  expect(changes.map(({ group }) => group)).toEqual(['slow', 'slow']);
});

test('handlerTimeoutMs releases the permits', async () => {
  await start({
    shards: 1,
    scheduling: { permits: 1 },
    recovery: { stalledAfterMs: 100 },
    timeouts: { handlerTimeoutMs: 500 },
  });
  const { response } = await scene.stage.send(scene.running, '/ignore/a');
  await until(() => changes.length === 1, 'the stall');
  expect((await response).status).toBe(504);
  await until(() => changes.length === 2, 'its end');
  expect(await readiness()).toEqual([200, undefined]);
});
