import { describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, get, post } from './support/client.js';
import { Life } from './support/life.js';
import { ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { type Pending, useStage } from './support/stage.js';

/* Abandoned handlers: handlers that still run after their requests got 504. */
const scene = useStage();

async function start(options: ServeOptions): Promise<void> {
  scene.running = await startServer({ shards: 1, ...options }, 'scheduling-app.js');
}

const shards = () => scene.running.server.stats().shards;
const abandoned = () => shards().map((shard) => shard.abandoned);
const numbers = () => shards().map(({ shard }) => shard);
const allReady = () => shards().every(({ state }) => state === 'ready');
/** Resolves when the shard is gone, and its replacement is ready. */
const replaced = (shard: number) =>
  until(() => !numbers().includes(shard) && allReady(), `the replacement of shard ${shard}`);
const messages = () => scene.running.logged.map(({ message }) => message);

/** Abandons one handler for each id, one after the other. */
async function abandon(...ids: string[]): Promise<void> {
  for (const id of ids) {
    const { response } = await scene.stage.send(scene.running, `/limited/ignore/${id}`);
    expect((await response).status).toBe(504);
  }
}

describe('a shard with more abandoned handlers than maxAbandoned', () => {
  test('is replaced without losing a request, and other shards of its group only afterwards', async () => {
    await start({
      shards: 2,
      scheduling: { dispatch: 'round-robin', steal: false },
      recovery: { maxAbandoned: 1 },
      ...ONE_HTTP_THREAD,
    });
    const { server, port } = scene.running;
    const states: string[] = [];
    let fewestReady = 2;
    server.on('shard', ({ shard, state }) => {
      states.push(`${shard} ${state}`);
      fewestReady = Math.min(fewestReady, shards().filter((one) => one.state === 'ready').length);
    });
    const started: Pending[] = [];
    for (const id of ['a', 'b']) started.push(await scene.stage.send(scene.running, `/wait/${id}`));
    await until(() => scene.stage.started.length === 2, 'the other requests to start');
    const hung = ['c', 'd', 'e', 'f'].map((id) => scene.stage.send(scene.running, `/limited/ignore/${id}`));
    for (const one of hung) expect((await (await one).response).status).toBe(504);
    await until(() => states.length > 0, 'the replacement to begin');
    expect(states[0]).toBe('2 spawning');
    for (let i = 0; i < 10; i++) expect((await exchange(port, get('/thread'))).status).toBe(200);
    scene.stage.release('a', 'b');
    for (const { response } of started) expect((await response).status).toBe(200);
    const replacements = () =>
      messages().flatMap(
        (message) => /^shard (\d) is being replaced by shard (\d)/.exec(message)?.slice(1).map(Number) ?? [],
      );
    await until(() => replacements().length === 4, 'both replacements');
    // Either one may have been first. The second one takes the number of the first, so it starts only when that one has ended.
    const [first] = replacements();
    const second = 1 - first;
    expect(replacements()).toEqual([first, 2, second, first]);
    await replaced(second);
    await until(() => shards().length === 2, 'the end of the last shard');
    expect([fewestReady, abandoned(), numbers()]).toEqual([2, [0, 0], [first, 2]]);
    expect(states.indexOf(`${first} ended`)).toBeLessThan(states.indexOf(`${first} spawning`));
    const lines = messages().filter((message) => /replaced|ended unexpectedly/.test(message));
    expect(lines.map((line) => line.replace(/(?<=shard )\d/g, 'x'))).toEqual(
      Array(2).fill(
        'shard x is being replaced by shard x: 2 abandoned handlers have not settled (`recovery.maxAbandoned`)',
      ),
    );
  });

  test('leaves new requests to its replacement, which is ready before, also if its group has no other shard', async () => {
    await start({ recovery: { maxAbandoned: 2 }, timeouts: { closeTimeoutMs: 60_000 } });
    const { server, port } = scene.running;
    const waits = await scene.stage.send(scene.running, '/wait/a');
    let fewestReady = 1;
    server.on('shard', () => {
      fewestReady = Math.min(fewestReady, shards().filter(({ state }) => state === 'ready').length);
    });
    await abandon('b', 'c', 'd');
    await until(() => shards()[0].state === 'draining', 'the replacement to begin');
    for (let i = 0; i < 5; i++) expect((await exchange(port, get('/thread'))).status).toBe(200);
    expect([numbers(), fewestReady]).toEqual([[0, 1], 1]);
    scene.stage.release('a');
    expect((await waits.response).status).toBe(200);
    await replaced(0);
    expect(abandoned()).toEqual([0]);
  });

  test('lets its other requests settle within three quarters of closeTimeoutMs', async () => {
    await start({ recovery: { maxAbandoned: 1 }, timeouts: { closeTimeoutMs: 1_000 } });
    const waits = await scene.stage.send(scene.running, '/wait/a');
    await abandon('b', 'c');
    await until(() => shards()[0].state === 'draining', 'the replacement to begin');
    const since = performance.now();
    expect((await waits.response).status).toBe(502);
    expect(performance.now() - since).toBeGreaterThan(600);
    await replaced(0);
  });

  test('is terminated at the end of closeTimeoutMs, and the log says so', async () => {
    const life = new Life();
    life.mark('spin-at-end');
    scene.running = await startServer(
      { shards: 1, recovery: { maxAbandoned: 1, stuckAfterMs: 0 }, timeouts: { closeTimeoutMs: 500 } },
      life.fixture,
    );
    for (let i = 0; i < 2; i++) expect((await exchange(scene.running.port, get('/hang'))).status).toBe(504);
    await replaced(0);
    expect(messages()).toContain('shard 0 ended unexpectedly: Shard 0 did not end within 500 ms and was terminated.');
    life.mark('release');
    await scene.running.server.close();
    life.end();
  });
});

describe('a shard is not replaced', () => {
  test('with exactly maxAbandoned abandoned handlers, and settled ones do not count', async () => {
    await start({ recovery: { maxAbandoned: 2 } });
    for (const ids of [['a', 'b'], ['c', 'd'], ['e']]) {
      await abandon(...ids);
      await until(() => abandoned()[0] === ids.length, 'the last handler');
      scene.stage.release(...ids);
      await until(() => abandoned()[0] === 0, 'the end of the handlers');
    }
    expect(numbers()).toEqual([0]);
  });

  test('if its event loop was blocked while there were too many', async () => {
    // It processes the 504s before the ping.
    await start({
      recovery: { maxAbandoned: 1, stuckAfterMs: 4_000 },
      timeouts: { handlerTimeoutMs: 500 },
      scheduling: { steal: false },
    });
    const ids = ['a', 'b', 'c'];
    const waits = await Promise.all(ids.map((id) => scene.stage.send(scene.running, `/ignore/${id}`)));
    await until(() => scene.stage.started.length === 3, 'the start of all handlers');
    const blocks = await scene.stage.send(scene.running, '/hold/block');
    await until(() => shards()[0].state === 'stuck', 'the shard to be stuck');
    for (const { response } of [...waits, blocks]) expect((await response).status).toBe(504);
    scene.stage.release('block');
    await replaced(0);
  });

  test('and does not wait for a handler that has a view of its request', async () => {
    await start({ recovery: { maxAbandoned: 1 }, timeouts: { closeTimeoutMs: 60_000 } });
    const viewing = exchange(scene.running.port, post(scene.stage.target('/later/view/a'), 'a body'));
    await until(() => scene.stage.started.length === 1, 'the start of the handler');
    await abandon('b', 'c');
    await until(() => shards()[0].state === 'draining', 'the replacement to begin');
    expect((await viewing).status).toBe(504);
    await replaced(0);
  });

  test('if its abandoned handlers settle before its turn to be replaced', async () => {
    await start({
      shards: 2,
      scheduling: { dispatch: 'round-robin', steal: false },
      recovery: { maxAbandoned: 1 },
      ...ONE_HTTP_THREAD,
    });
    const waits = [await scene.stage.send(scene.running, '/wait/a'), await scene.stage.send(scene.running, '/wait/b')];
    await until(() => scene.stage.started.length === 2, 'the start of both handlers');
    await abandon('c', 'd', 'e');
    await until(() => shards().some(({ state }) => state === 'draining'), 'the replacement of one shard');
    await until(() => !shards().some(({ state }) => state === 'loading'), 'the replacement to be ready');
    const other = shards().find(({ shard, state }) => shard < 2 && state === 'ready')!.shard;
    const abandonedOf = (number: number) => shards().find(({ shard }) => shard === number)!.abandoned;
    await abandon('f', 'g');
    await until(() => abandonedOf(other) === 2, 'the last handler');
    scene.stage.release('c', 'd', 'e', 'f', 'g');
    await until(() => abandonedOf(other) === 0, 'the end of the handlers');
    scene.stage.release('a', 'b');
    for (const { response } of waits) expect((await response).status).toBe(200);
    await replaced(1 - other);
    expect(numbers()).toEqual([other, 2]);
  });

  test('with any number of abandoned handlers if maxAbandoned is 0', async () => {
    await start({ recovery: { maxAbandoned: 0 }, memory: { slots: 64 } });
    const ids = Array.from({ length: 40 }, (_, i) => `${i}`);
    await Promise.all(ids.map((id) => abandon(id)));
    await until(() => abandoned()[0] === 40, 'the last handler');
    expect(numbers()).toEqual([0]);
  });
});

test('abandoned handlers that keep their slots leave half of all slots to others', async () => {
  await start({ memory: { slots: 8 } });
  await abandon('a', 'b', 'c', 'd');
  await until(() => abandoned()[0] === 4, 'the last handler');
  expect(numbers()).toEqual([0]);
  await abandon('e');
  await replaced(0);
});
