import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { createApp, type HealthCheck } from 'loopshard';
import { createTestServer } from 'loopshard/testing';
import { HealthChecks } from '../build/src/shard/health-checks.js';
import { exchange, get, RawClient } from './support/client.js';
import { useLife } from './support/life.js';
import { Load } from './support/load.js';
import { until } from './support/server.js';

const scene = useLife();

const ask = async (path: string, port = scene.running.port) => {
  const { status, body } = await exchange(port, get(path));
  return [status, JSON.parse(body.toString())];
};
const READY = [200, { status: 'ready' }];
const failing = (...checks: string[]) => [503, { status: 'not ready', reason: 'checks failed', checks }];
const messages = () => scene.running.logged.map(({ message }) => message);
const shards = () => scene.running.server.stats().shards;
const isReadyz = (expected: unknown, port?: number) =>
  until(async () => JSON.stringify(await ask('/readyz', port)) === JSON.stringify(expected), '/readyz');

describe.each([1, 2])('/readyz with %i HTTP threads', (httpThreads) => {
  const start = (options = {}) => {
    scene.life.mark('checks');
    return scene.startHttpThreads(httpThreads, { shards: 2, health: true, ...options });
  };

  test('names the checks that fail, on every HTTP thread, until they pass again; requests continue', async () => {
    const { ports } = await start();
    const events: { shard: number; check: string }[] = [];
    scene.running.server.on('check', (change) => void events.push(change));
    for (const port of ports) expect(await ask('/readyz', port)).toEqual(READY);
    scene.life.mark('database-fails');
    scene.life.mark('cache-fails');
    for (const port of ports) await isReadyz(failing('cache', 'database'), port);
    await until(() => shards().every(({ failedChecks }) => failedChecks.length === 2), 'the failures on both shards');
    for (const { failedChecks } of shards()) expect([...failedChecks].sort()).toEqual(['cache', 'database']);
    scene.life.unmark('cache-fails');
    for (const port of ports) {
      await isReadyz(failing('database'), port);
      expect(await ask('/livez', port)).toEqual([200, { status: 'live' }]);
      expect((await exchange(port, get('/ok'))).body.toString()).toBe('ok');
    }
    scene.life.unmark('database-fails');
    for (const port of ports) await isReadyz(READY, port);
    await until(() => shards().every(({ failedChecks }) => failedChecks.length === 0), 'the other shard');
    for (const shard of [0, 1]) {
      const of = (check: string, passes: boolean) => ({ shard, group: 'default', check, passes });
      for (const check of ['cache', 'database']) {
        const changes = events.filter((event) => event.shard === shard && event.check === check);
        expect(changes).toEqual([of(check, false), of(check, true)]);
      }
      expect(messages()).toContain(`health check database fails on shard ${shard}: database is down`);
      expect(messages()).toContain(`health check database passes again on shard ${shard}`);
    }
    expect(messages().filter((message) => message.includes('database fails'))).toHaveLength(2);
  });

  test('is 200 while a check fails on some shards of a group only, and 503 if it fails on all of one group', async () => {
    scene.life.mark('cpu');
    const { ports } = await start({ shards: undefined, groups: { default: 2, cpu: 1 } });
    scene.life.mark('database-fails-0');
    await until(() => shards()[0].failedChecks.length === 1, 'the failure');
    for (const port of ports) expect(await ask('/readyz', port)).toEqual(READY);
    // The numbers of the first group are 0 to 2.
    scene.life.mark('database-fails-3');
    for (const port of ports) await isReadyz(failing('database'), port);
  });

  test('knows the result of a shard from its start, and forgets it with its end', async () => {
    scene.life.mark('database-fails');
    const { ports, server } = await start({ shards: 1 });
    for (const port of ports) await isReadyz(failing('database'), port);
    expect(server.stats().shards[0].failedChecks).toEqual(['database']);
    scene.life.unmark('database-fails');
    scene.life.mark('database-fails-0');
    expect(await server.restartShard(0)).toBe(1);
    for (const port of ports) await isReadyz(READY, port);
    // The next thread with this number passes from the start.
    await until(() => shards().length === 1, 'the end of the old shard');
    scene.life.unmark('database-fails-0');
    expect(await server.restartShard(1)).toBe(0);
    for (const port of ports) await isReadyz(READY, port);
    expect(server.stats().shards.find(({ shard }) => shard === 0)!.failedChecks).toEqual([]);
  });
});

test('/readyz is the same on an HTTP thread that has replaced an ended one', async () => {
  scene.life.mark('checks');
  const httpModule = new URL('./fixtures/http-module.js', import.meta.url);
  const { ports, logged } = await scene.startHttpThreads(2, { shards: 2, health: true, httpModule });
  scene.life.mark('database-fails');
  for (const port of ports) await isReadyz(failing('database'), port);
  const client = await RawClient.open(ports[1]);
  client.write(get('/exit', 'Connection: Upgrade', 'Upgrade: shout'));
  await client.closed();
  await until(() => logged.some(({ message }) => message === 'HTTP thread 1 is listening again'), 'the replacement');
  expect(await ask('/readyz', ports[1])).toEqual(failing('database'));
});

test('a check that does not settle within timeoutMs fails, its signal is aborted, and it is run again', async () => {
  scene.life.mark('checks');
  scene.life.mark('notes');
  await scene.start({ shards: 1, health: true });
  scene.life.mark('database-hangs');
  await isReadyz(failing('database'));
  expect(messages()).toContain('health check database fails on shard 0: it has not settled within 300 ms');
  expect(scene.life.notes).toContain('abort database');
  scene.life.unmark('database-hangs');
  await isReadyz(READY);
  expect(scene.life.notes).not.toContain('abort cache');
});

test('a start, a reload and a replacement do not wait for checks that pass', async () => {
  scene.life.mark('checks');
  scene.life.mark('notes');
  scene.life.mark('database-fails');
  const { server } = await scene.start({ shards: 1, health: true, httpThreads: 1 });
  await server.reload();
  await server.restartShard(0);
  expect(await ask('/readyz')).toEqual(failing('database'));
  expect((await exchange(scene.running.port, get('/ok'))).status).toBe(200);
  // A check precedes the requests of each thread.
  const isCheck = (note: string) => note.startsWith('check database');
  expect(scene.life.notes.filter((note) => note === 'end')).toHaveLength(3);
  expect(scene.life.notes.filter(isCheck).length).toBeGreaterThanOrEqual(3);
});

test('a shard on which a check has failed replaceAfter times in a row is replaced, and no request fails', async () => {
  scene.life.mark('checks');
  scene.life.mark('replaces');
  await scene.start({ shards: 2, health: true });
  const load = new Load(scene.running.port);
  await load.passed(100);
  // On both shards, but only the other check has the option.
  scene.life.mark('database-fails');
  scene.life.mark('cache-fails-0');
  await until(
    () =>
      shards()
        .map(({ shard }) => shard)
        .join() === '1,2',
    'the replacement',
  );
  expect(messages()).toContain(
    'shard 0 is being replaced by shard 2: its health checks keep failing: cache, database (`replaceAfter`)',
  );
  expect(messages().filter((message) => message.includes('is being replaced'))).toHaveLength(1);
  await load.stop();
  expect(load.wrong).toEqual([]);
});

test('with shards: 0, replaceAfter has no effect', async () => {
  scene.life.mark('checks');
  scene.life.mark('replaces');
  scene.life.mark('notes');
  await scene.start({ shards: 0, health: true, httpThreads: 1 });
  scene.life.mark('cache-fails');
  await isReadyz(failing('cache'));
  const runs = () => scene.life.notes.filter((note) => note.startsWith('check cache')).length;
  const before = runs();
  await until(() => runs() >= before + 4, 'further runs');
  expect(messages().filter((message) => message.includes('replace'))).toEqual([]);
  expect(shards()).toHaveLength(1);
});

test('/livez and /readyz respond while every shard is busy, with the latest results', async () => {
  scene.life.mark('checks');
  await scene.start({ shards: 1, health: true });
  scene.life.mark('database-fails');
  await isReadyz(failing('database'));
  const spinning = exchange(scene.running.port, get('/spin'));
  await until(() => shards()[0].permits.available < shards()[0].permits.limit, 'the start of the handler');
  scene.life.unmark('database-fails');
  expect(await ask('/livez')).toEqual([200, { status: 'live' }]);
  expect(await ask('/readyz')).toEqual(failing('database'));
  scene.life.mark('release');
  expect((await spinning).status).toBe(200);
  await isReadyz(READY);
});

test('the admin listener and metrics show failing checks too', async () => {
  scene.life.mark('checks');
  const { server } = await scene.start({ shards: 1, admin: { port: 0 } });
  scene.life.mark('cache-fails');
  const { port } = server.adminAddress()!;
  await isReadyz(failing('cache'), port);
  expect(await server.metrics()).toContain('loopshard_shard_failed_checks{shard="0",group="default"} 1');
});

describe('in the thread of the caller', () => {
  test('checks run with shards: 0', async () => {
    scene.life.mark('checks');
    scene.life.mark('cache-fails');
    await scene.start({ shards: 0, health: true, httpThreads: 1 });
    expect(await ask('/readyz')).toEqual(failing('cache'));
    scene.life.unmark('cache-fails');
    await isReadyz(READY);
  });

  test('checks run in tests, and end with the app', async () => {
    let isDown = false;
    const check = jest.fn<HealthCheck>(() => !isDown);
    const app = createApp().health('queue', { intervalMs: 100 }, check);
    const server = await createTestServer(app, { health: true, logLevel: 'silent' });
    expect((await server.inject('/readyz')).statusCode).toBe(200);
    expect(check).toHaveBeenCalledWith({ shard: 0, group: 'default', index: 0, signal: expect.any(AbortSignal) });
    isDown = true;
    await until(async () => (await server.inject('/readyz')).statusCode === 503, 'the failure');
    expect((await server.inject('/readyz')).json()).toMatchObject({ checks: ['queue'] });
    await server.close();
    const { length } = check.mock.calls;
    const end = performance.now() + 300;
    await until(() => performance.now() > end, 'further runs');
    expect(check).toHaveBeenCalledTimes(length);
  });
});

describe('the runs of a check', () => {
  let checks: HealthChecks;
  afterEach(() => checks.stop());

  /** Runs one check until `reports` reports have come; returns the messages of their errors, `undefined` for a pass. */
  async function outcomes(check: HealthCheck, reports: number): Promise<(string | undefined)[]> {
    const seen: (string | undefined)[] = [];
    checks = new HealthChecks(
      [{ name: 'app', check, intervalMs: 1, timeoutMs: 20, replaceAfter: 0 }],
      { shard: 0, group: 'default', index: 0 },
      (report) => void seen.push(report.type === 'check' ? report.error?.message : report.type),
    );
    await checks.start();
    await until(() => seen.length >= reports, 'the reports');
    return seen.slice(0, reports);
  }

  test('are reported when the result changes, and not otherwise', async () => {
    let runs = 0;
    const results = [true, undefined, false, false, 'yes', 0, new Error('not thrown')];
    const check = () => {
      if (runs++ < results.length) return results[runs - 1];
      throw new Error('the end');
    };
    expect(await outcomes(check, 3)).toEqual(['it returned false', undefined, 'the end']);
  });

  test.each([
    ['throws undefined', () => Promise.reject(undefined), 'undefined'],
    ['throws at once', () => JSON.parse('{'), expect.stringContaining('JSON')],
    ['resolves with false', async () => false, 'it returned false'],
    ['never settles', () => new Promise(() => {}), 'it has not settled within 20 ms'],
  ])('that %s fail', async (_what, check, message) => {
    expect(await outcomes(check, 1)).toEqual([message]);
  });

  test('do not fail because the event loop was blocked while what they wait for has arrived', async () => {
    const seen: unknown[] = [];
    const check = async () => void (await readFile(new URL(import.meta.url)));
    checks = new HealthChecks(
      [{ name: 'app', check, intervalMs: 1_000, timeoutMs: 100, replaceAfter: 0 }],
      { shard: 0, group: 'default', index: 0 },
      (report) => void seen.push(report),
    );
    const started = checks.start();
    const end = performance.now() + 300;
    while (performance.now() < end);
    await started;
    expect(seen).toEqual([]);
  });

  test('that reject after their timeout cause no unhandled rejection', async () => {
    let runs = 0;
    const check = ({ signal }: { signal: AbortSignal }) => {
      if (runs++ > 0) return undefined;
      return new Promise((_resolve, reject) => {
        signal.onabort = () => setTimeout(reject, 5, new Error('too late'));
      });
    };
    expect(await outcomes(check, 2)).toEqual(['it has not settled within 20 ms', undefined]);
  });
});

describe('app.health()', () => {
  const wrong = (...given: unknown[]) => {
    try {
      (createApp().health as (...given: unknown[]) => unknown)(...given);
    } catch (error) {
      return [(error as { code: string }).code, (error as Error).message];
    }
    return 'accepted';
  };
  const check = () => true;

  test('rejects anything but a name, options and a check', () => {
    expect(wrong()).toEqual([
      'OPTION_INVALID',
      '`app.health()` expects `health(check)` or `health(name, options, check)`, got ().',
    ]);
    expect(wrong('database')).toEqual([
      'OPTION_INVALID',
      "`app.health()` expects `health(check)` or `health(name, options, check)`, got ('database').",
    ]);
    expect(wrong('a b', check)[1]).toMatch(/^`app.health\(\)` expects a name of up to 64 letters.*got 'a b'\.$/);
    expect(wrong('database', { intervalMs: 10 }, check)).toEqual([
      'OPTION_INVALID',
      "Option `intervalMs` of `app.health('database')` must be an integer from 100 to 86400000, got 10.",
    ]);
    expect(wrong('database', { timeout: 10 }, check)).toEqual([
      'OPTION_UNKNOWN',
      "Unknown option `timeout` of `app.health('database')`. All options: intervalMs, timeoutMs, replaceAfter.",
    ]);
    expect(wrong('database', 5, check)[1]).toBe('`app.health()` expects options, got 5.');
    expect(wrong('database', { replaceAfter: 1 }, check)).toEqual([
      'OPTION_INVALID',
      "Option `replaceAfter` of `app.health('database')` must be an integer from 2 to 1000, got 1.",
    ]);
    expect(wrong('x'.repeat(64), { intervalMs: 100, timeoutMs: 600_000 }, check)).toBe('accepted');
  });

  test('rejects a second check with the same name, also of a mounted app', () => {
    const text = /was already called for a check named `app`/;
    expect(() => createApp().health(check).health(check)).toThrow(text);
    expect(() => createApp().health(check).mount('/a', createApp().health(check))).toThrow(text);
  });

  test('of a mounted app adds its checks, once', async () => {
    const inner = createApp().health('inner', () => false);
    const app = createApp().mount('/a', inner).mount('/b', inner);
    const server = await createTestServer(app, { health: true, logLevel: 'silent' });
    expect((await server.inject('/readyz')).json()).toMatchObject({ checks: ['inner'] });
    await server.close();
  });
});
