import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { watchHeap } from '../build/src/shard/pulse.js';
import { exchange, get } from './support/client.js';
import { useLife } from './support/life.js';
import { Load } from './support/load.js';
import { Program } from './support/process.js';
import { expectConserved, until, untilStarted } from './support/server.js';

const scene = useLife();

const shards = () => scene.running.server.stats().shards;
const numbers = () => shards().map(({ shard }) => shard);
const states = () => shards().map(({ state }) => state);
const allReady = () => states().every((state) => state === 'ready');
const ask = (path: string, ...fields: string[]) => exchange(scene.running.port, get(path, ...fields));
const text = async (path: string, ...fields: string[]) => (await ask(path, ...fields)).body.toString();
const messages = () => scene.running.logged.map(({ message }) => message);

describe('a shard that is stuck for killStuckAfterMs', () => {
  const recovery = { stuckAfterMs: 200, killStuckAfterMs: 200 };

  test('is terminated and replaced: its request gets 502, and no other request fails', async () => {
    const { server } = await scene.start({ shards: 2, recovery });
    const load = new Load(scene.running.port);
    await load.passed(100);
    const before = numbers();
    const looping = ask('/spin');
    expect((await looping).status).toBe(502);
    await until(() => shards().reduce((sum, { restarts }) => sum + restarts, 0) === 1 && allReady(), 'the replacement');
    await load.passed(100);
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect(numbers()).toEqual(before);
    expect(server.stats().refused).toEqual({ SHARD_LOST: 1 });
    const [stuck] = messages().filter((message) => message.includes('is stuck'));
    expect(stuck).toMatch(
      /^shard \d is stuck: its event loop has been blocked for 200 ms by a handler of `GET \/spin`$/,
    );
    expect(
      messages().some((message) => /was terminated: its event loop was blocked for more than 400 ms/.test(message)),
    ).toBe(true);
    await expectConserved(scene.running);
  });

  test('is terminated too if it spins outside of a request', async () => {
    await scene.start({ shards: 1, recovery });
    expect(await text('/spin-later')).toBe('soon');
    await until(() => shards()[0].restarts === 1 && allReady(), 'the replacement');
    expect(await text('/ok')).toBe('ok');
    expect(messages().find((message) => message.includes('is stuck'))).toMatch(/blocked for 200 ms$/);
  });

  test('gets a replacement beside it if native code keeps it from ending, and its requests get 502 meanwhile', async () => {
    await scene.start({ shards: 1, recovery });
    const native = ask('/native');
    await until(
      () => numbers().includes(1) && shards().some(({ shard, state }) => shard === 1 && state === 'ready'),
      'the replacement',
    );
    expect(await text('/ok')).toBe('ok');
    expect((await native).status).toBe(502);
    expect(numbers()).toContain(0);
    scene.life.mark('release');
    await until(() => numbers().join() === '1', 'the end of the thread');
    await expectConserved(scene.running);
  });

  test('is not terminated while an inspector of its thread is open', async () => {
    await scene.start({ shards: 1, recovery });
    expect(await text('/inspect')).toBe('inspected');
    const seen: string[] = [];
    scene.running.server.on('shard', ({ state }) => void seen.push(state));
    const spinning = ask('/spin');
    const end = performance.now() + 1_500;
    await until(() => performance.now() > end, 'the time to pass');
    scene.life.mark('release');
    expect((await spinning).body.toString()).toBe('released');
    expect(seen).toEqual([]);
  });

  test('is neither stuck nor terminated in a group without the check', async () => {
    scene.life.mark('cpu');
    await scene.start({ groups: { default: 1, cpu: { shards: 1, stuckAfterMs: 0 } }, recovery });
    const computing = ask('/cpu');
    expect((await ask('/spin')).status).toBe(502);
    await until(() => shards()[0].restarts === 1 && allReady(), 'the replacement');
    scene.life.mark('release');
    expect((await computing).body.toString()).toBe('computed');
    expect(shards().map(({ restarts }) => restarts)).toEqual([1, 0]);
  });
});

test('a process that was suspended for longer than all limits loses no shard', async () => {
  const args = ['--port', '0', '--shards', '2', '--stuck-after-ms', '200', '--kill-stuck-after-ms', '200'];
  const program = new Program(process.execPath, ['build/dist/cli.js', 'serve', scene.life.url, ...args]);
  const port = Number((await program.printed(/listens on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  const thread = async () => (await exchange(port, get('/key-thread', 'x-key: a'))).body.toString();
  const before = await thread();
  for (let i = 0; i < 3; i++) {
    program.child.kill('SIGSTOP');
    const end = performance.now() + 700;
    await until(() => performance.now() > end, 'the time to pass');
    program.child.kill('SIGCONT');
    expect(await thread()).toBe(before);
  }
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
  expect(program.stderr).toBe('');
});

test.each([1, 2])(
  'if all circuits of a group are open, its requests get 503 with Retry-After, and /readyz says why (%i HTTP threads)',
  async (httpThreads) => {
    scene.life.mark('cpu');
    const { ports, server } = await scene.startHttpThreads(httpThreads, {
      groups: { default: 2, cpu: 1 },
      recovery: { maxRestarts: 1 },
      health: true,
      admin: { port: 0 },
    });
    const [admin, own] = [server.adminAddress()!.port, () => shards().filter(({ group }) => group === 'default')];
    const look = async (port: number, path: string) => exchange(port, get(path));
    while (own().some(({ isCircuitOpen }) => !isCircuitOpen)) {
      await until(
        () => own().every(({ state, isCircuitOpen }) => state === 'ready' || isCircuitOpen),
        'the shards to start again',
      );
      await look(ports[0], '/exit');
    }
    for (const port of [...ports, admin]) {
      await until(async () => (await look(port, '/readyz')).status === 503, 'the HTTP threads to know');
      const { body } = await look(port, '/readyz');
      expect(JSON.parse(body.toString())).toEqual({ status: 'not ready', reason: 'circuit open' });
      expect((await look(port, '/livez')).status).toBe(200);
    }
    for (const port of ports) {
      const { status, fields } = await look(port, '/ok');
      expect([status, new Map(fields).get('retry-after')]).toEqual([503, '1']);
      expect((await look(port, '/key-nonce/other-group')).body.toString()).toBe('other-group');
    }
  },
);

describe('restartShard', () => {
  test('replaces a shard beside it without losing a request, and its keys stay together', async () => {
    const { server } = await scene.start({ shards: 2 });
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const threads = () => Promise.all(keys.map((key) => text('/key-thread', `x-key: ${key}`)));
    const before = await threads();
    const load = new Load(scene.running.port);
    await load.passed(50);
    let fewestReady = 2;
    server.on('shard', () => {
      fewestReady = Math.min(fewestReady, states().filter((state) => state === 'ready').length);
    });
    expect(await server.restartShard(0)).toBe(2);
    await until(() => numbers().join() === '1,2', 'the end of the old shard');
    expect(await server.restartShard(1)).toBe(0);
    await until(() => numbers().join() === '0,2', 'the end of the old shard');
    await load.passed(50);
    await load.stop();
    expect(load.wrong).toEqual([]);
    expect(fewestReady).toBe(2);
    const after = await threads();
    // Each new thread has exactly the keys of an old one.
    const pairs = new Set(keys.map((_, i) => `${before[i]} ${after[i]}`));
    expect(pairs.size).toBe(new Set(before).size);
    expect(after.filter((thread) => before.includes(thread))).toEqual([]);
    await expectConserved(scene.running);
  });

  test('finishes what the old shard has started, and streams nothing twice', async () => {
    const { server } = await scene.start({ shards: 1 });
    const slow = ask('/slow/600');
    await untilStarted(scene.running, 1);
    await server.restartShard(0);
    expect(await text('/ok')).toBe('ok');
    expect((await slow).body.toString()).toBe('slow');
    await until(() => numbers().join() === '1', 'the end of the old shard');
    await expectConserved(scene.running);
  });

  test('leaves the old shard serving if the module does not load', async () => {
    const { server } = await scene.start({ shards: 1 });
    scene.life.mark('throw');
    await expect(server.restartShard(0)).rejects.toMatchObject({ code: 'MODULE_FAILED' });
    expect([await text('/ok'), numbers()]).toEqual(['ok', [0]]);
    scene.life.unmark('throw');
    expect(await server.restartShard(0)).toBe(1);
    expect(await text('/ok')).toBe('ok');
  });

  test('rejects numbers of no shard', async () => {
    const { server } = await scene.start({ shards: 2 });
    await expect(server.restartShard(2)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'Option `shard` must be the number of a shard: `0` or `1`, got 2.',
    });
  });

  test('is ended by close()', async () => {
    const { server } = await scene.start({ shards: 1 });
    scene.life.mark('hang');
    const restarted = server.restartShard(0);
    await until(() => states().includes('loading'), 'the new shard');
    await Promise.all([expect(restarted).rejects.toMatchObject({ code: 'NOT_RUNNING' }), server.close()]);
  });

  test('gives the new shard the permits of the old one', async () => {
    const { server } = await scene.start({ shards: 2 });
    server.setPermits(7, { shard: 1 });
    expect(await server.restartShard(1)).toBe(2);
    expect(shards().find(({ shard }) => shard === 2)!.permits.limit).toBe(7);
    expect(shards().find(({ shard }) => shard === 0)!.permits.limit).not.toBe(7);
  });
});

test('shards are replaced after maxRequestsPerShard without losing a request', async () => {
  await scene.start({ shards: 2, recovery: { maxRequestsPerShard: 400 } });
  const threads = new Set<string>();
  const load = new Load(scene.running.port);
  await until(async () => threads.add(await text('/thread')).size >= 6, 'several replacements');
  await load.stop();
  expect(load.wrong).toEqual([]);
  expect(messages().filter((message) => message.includes('is being replaced')).length).toBeGreaterThanOrEqual(4);
  await until(() => numbers().length === 2 && allReady(), 'the end of the last shard');
  await expectConserved(scene.running);
});

describe('the heap of a shard', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;

  test('is reported once if it is larger than maxShardHeapMb after a garbage collection', async () => {
    const reports: unknown[] = [];
    watchHeap(1, (report) => void reports.push(report), 0);
    collect();
    await until(() => reports.length > 0, 'the report');
    collect();
    await until(async () => (await new Promise((resolve) => setImmediate(resolve, true))) === true, 'another turn');
    expect(reports).toEqual([{ type: 'heapFull', heapMb: expect.any(Number) }]);
  });

  test('is not reported if it is smaller, or before the shard has settled', async () => {
    const reports: unknown[] = [];
    watchHeap(2 ** 20, (report) => void reports.push(report), 0);
    watchHeap(1, (report) => void reports.push(report), 60_000);
    watchHeap(1, () => void reports.push('seen'), 0);
    collect();
    await until(() => reports.length > 0, 'the report of a third limit');
    expect(reports).toEqual(['seen']);
  });
});
