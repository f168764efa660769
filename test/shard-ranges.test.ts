import { describe, expect, test } from '@jest/globals';
import { exchange, get, RawClient } from './support/client.js';
import { useLife } from './support/life.js';
import { Load } from './support/load.js';
import { Program } from './support/process.js';
import { expectConserved, until } from './support/server.js';

const scene = useLife();

const shards = () => scene.running.server.stats().shards;
const group = (name = 'default') => scene.running.server.stats().groups.find((one) => one.group === name)!;
const messages = () => scene.running.logged.map(({ message }) => message);
const text = async (path: string, ...fields: string[]) =>
  (await exchange(scene.running.port, get(path, ...fields))).body.toString();

/** Keeps `connections` shards busy. */
const busy = (ports: number | readonly number[], connections = 6) =>
  new Load(ports, { connections, prefix: '/busy/10/', pipelined: 1 });
/** Resolves when the group has this many shards and all of them are ready. */
const untilShards = (count: number, name = 'default') =>
  until(() => {
    const own = shards().filter((one) => one.group === name);
    return group(name).shards === count && own.length === count && own.every(({ state }) => state === 'ready');
  }, `${count} shards`);

const KEYS = Array.from({ length: 24 }, (_, key) => `k${key}`);
/** The thread that runs the requests of each key. */
const threads = () => Promise.all(KEYS.map((key) => text('/key-thread', `x-key: ${key}`)));

describe.each([1, 2])('a range of shards, with %i HTTP threads', (httpThreads) => {
  test('grows under load and shrinks after it, without losing a request, and keys stay on their seats', async () => {
    const { ports, server } = await scene.startHttpThreads(httpThreads, {
      shards: { min: 2, max: 3, shrinkAfterMs: 500 },
      admin: { port: 0 },
    });
    const scaled: unknown[] = [];
    server.on('scaled', (change) => void scaled.push(change));
    expect(group()).toEqual({ group: 'default', shards: 2, min: 2, max: 3, grown: 0, shrunk: 0 });
    const before = await threads();
    expect(new Set(before).size).toBe(2);
    const load = busy(ports);
    await untilShards(3);
    const grown = await threads();
    const moved = KEYS.filter((_, i) => grown[i] !== before[i]);
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.length).toBeLessThan(KEYS.length / 2);
    expect(new Set(grown.filter((thread) => !before.includes(thread))).size).toBe(1);
    expect(await server.metrics()).toContain('loopshard_group_shards{group="default"} 3');
    await load.stop();
    expect(load.wrong).toEqual([]);
    await untilShards(2);
    expect(await threads()).toEqual(before);
    expect(scaled).toEqual([
      { group: 'default', from: 2, to: 3 },
      { group: 'default', from: 3, to: 2 },
    ]);
    expect(group()).toMatchObject({ grown: 1, shrunk: 1 });
    expect(messages().filter((message) => message.startsWith('group default'))).toEqual([
      expect.stringMatching(/^group default has grown from 2 to 3 shards: \d\.\d of 2 were busy on average/),
      expect.stringMatching(/^group default is shrinking from 3 to 2 shards: 0\.\d of 3 were busy on average$/),
    ]);
    await expectConserved(scene.running);
  });
});

describe('a range of shards', () => {
  test('grows only in the group that has the load, and gives new shards the permits of their group', async () => {
    scene.life.mark('cpu');
    const range = { min: 1, max: 2 };
    const { server } = await scene.start({ groups: { default: range, cpu: range } });
    server.setPermits(7, { group: 'default' });
    server.setPermits(5, { shard: 0 });
    const load = busy(scene.running.port);
    await untilShards(2);
    await load.stop();
    expect(group('cpu').shards).toBe(1);
    expect(shards().map(({ permits, ...one }) => [one.shard, one.group, permits.limit])).toEqual([
      [0, 'default', 5],
      [1, 'default', 7],
      [3, 'cpu', 512],
    ]);
  });

  test('grows when handlers that wait take all permits', async () => {
    await scene.start({ shards: { min: 1, max: 2 }, scheduling: { permits: 4 } });
    const load = new Load(scene.running.port, { connections: 8, prefix: '/later/20/', pipelined: 1 });
    await untilShards(2);
    await load.stop();
    expect(load.wrong).toEqual([]);
  });

  test('does not grow for adaptive permits, which protect what handlers wait for', async () => {
    await scene.start({
      shards: { min: 1, max: 2 },
      scheduling: { permits: { min: 2, max: 2 } },
    });
    const load = new Load(scene.running.port, { connections: 8, prefix: '/later/20/', pipelined: 1 });
    const end = performance.now() + 2_500;
    await until(() => performance.now() > end, 'the time to pass');
    await load.stop();
    expect([load.wrong, group().grown]).toEqual([[], 0]);
  });

  test('keeps its current number in a reload', async () => {
    const { server } = await scene.start({ shards: { min: 1, max: 2 }, httpThreads: 1 });
    const load = busy(scene.running.port);
    await untilShards(2);
    await server.reload();
    await untilShards(2);
    await load.stop();
    expect([load.wrong, group().shards]).toEqual([[], 2]);
  });

  test('is not left by a module that no longer loads: the others continue', async () => {
    await scene.start({ shards: { min: 1, max: 2 } });
    scene.life.mark('throw');
    const load = busy(scene.running.port);
    await until(
      () => messages().some((message) => /^group default cannot grow: .*cannot be loaded/.test(message)),
      'the failure',
    );
    await load.passed(20);
    await load.stop();
    expect([load.wrong, shards().map(({ shard }) => shard)]).toEqual([[], [0]]);
    await expectConserved(scene.running);
  });

  test('can be closed while it grows', async () => {
    const { server, port } = await scene.start({ shards: { min: 1, max: 2 } });
    scene.life.mark('hang');
    const clients = await Promise.all(Array.from({ length: 4 }, () => RawClient.open(port)));
    for (const client of clients) client.write(get('/busy/300/a').repeat(3));
    await until(() => shards().length === 2, 'the new shard');
    const responses = clients.map(async (client) => (await client.response()).status);
    await server.close();
    expect(await Promise.all(responses)).toEqual([200, 200, 200, 200]);
    for (const client of clients) client.destroy();
  });

  test('grows although a shard is stuck, and goes on replacing shards', async () => {
    await scene.start({ shards: { min: 2, max: 3 }, recovery: { stuckAfterMs: 300, killStuckAfterMs: 0 } });
    const looping = Promise.all([
      exchange(scene.running.port, get('/spin')),
      exchange(scene.running.port, get('/spin')),
    ]);
    await until(() => group().grown === 1, 'the growth');
    expect(await text('/ok')).toBe('ok');
    scene.life.mark('release');
    for (const { status } of await looping) expect(status).toBe(200);
    const { server } = scene.running;
    await untilShards(3);
    for (const shard of [0, 1, 2]) await server.restartShard(shard);
    await untilShards(3);
    expect(await text('/ok')).toBe('ok');
  });
});

describe('the command line', () => {
  const args = (...more: string[]) => ['build/dist/cli.js', 'serve', scene.life.url, '--port', '0', ...more];

  test.each([
    [['--shards', '1-3'], 'shards: 1-3;'],
    [['--groups', 'default=1-3,cpu=2'], 'shards: 3-5 (default 1-3, cpu 2);'],
  ])('%j starts the fewest shards', async (flags, shown) => {
    const program = new Program(process.execPath, args(...flags));
    await program.printed(/listens on/);
    expect(program.stdout).toContain(shown);
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
  });

  test('rejects other syntax', async () => {
    const program = new Program(process.execPath, args('--shards', '2..8'));
    expect(await program.exit()).toBe(1);
    expect(program.stderr).toContain('It must be an integer, or a range such as 2-8.');
  });
});

test('memory of shards that may be added is reserved, not used', async () => {
  const used = async (shards: string) => {
    const program = new Program(process.execPath, ['test/fixtures/rss.js', shards]);
    expect(await program.exit()).toBe(0);
    return JSON.parse(program.stdout) as { reserved: number; resident: number };
  };
  const [one, many] = [await used('{"min":1,"max":1}'), await used('{"min":1,"max":64}')];
  const MIB = 2 ** 20;
  expect(many.reserved - one.reserved).toBeGreaterThan(63 * MIB);
  expect(many.resident - one.resident).toBeLessThan(16 * MIB);
});
