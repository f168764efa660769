import { describe, expect, test } from '@jest/globals';
import { exchange, get, RawClient } from './support/client.js';
import { useLife } from './support/life.js';
import { Load } from './support/load.js';
import { expectConserved, until, untilStarted } from './support/server.js';

const scene = useLife();

const shards = () => scene.running.server.stats().shards;
const numbers = () => shards().map(({ shard }) => shard);
const allReady = () => shards().every(({ state }) => state === 'ready');
const messages = () => scene.running.logged.map(({ message }) => message);
const ask = (path: string, ...fields: string[]) => exchange(scene.running.port, get(path, ...fields));
const text = async (path: string, ...fields: string[]) => (await ask(path, ...fields)).body.toString();

describe.each([1, 2])('with %i HTTP threads', (httpThreads) => {
  const start = (options = {}) => scene.startHttpThreads(httpThreads, { shards: 3, ...options });

  test('two shards of a group are replaced one after the other, and no request fails', async () => {
    const { ports, server } = await start();
    const load = new Load(ports);
    await load.passed(50);
    const begun: string[] = [];
    server.on('shard', ({ shard, state }) => {
      if (state === 'spawning' || state === 'draining') begun.push(`${state} ${shard}`);
    });
    expect(await Promise.all([server.restartShard(0), server.restartShard(2)])).toEqual([3, 0]);
    expect(begun.slice(0, 3)).toEqual(['spawning 3', 'draining 0', 'spawning 0']);
    await until(() => numbers().join() === '0,1,3' && allReady(), 'the end of the old shards');
    await load.passed(50);
    await load.stop();
    expect(load.wrong).toEqual([]);
    await expectConserved(scene.running);
  });

  test('the only shard of each group is replaced again and again after maxRequestsPerShard', async () => {
    scene.life.mark('cpu');
    const { ports, server } = await start({
      shards: undefined,
      groups: { default: 1, cpu: 1 },
      recovery: { maxRequestsPerShard: 300 },
    });
    let ends = 0;
    server.on('shard', ({ state }) => {
      if (state === 'ended') ends++;
    });
    const loads = [new Load(ports), new Load(ports, { prefix: '/key-nonce/', pipelined: 5 })];
    await until(() => ends >= 3, 'several replacements');
    for (const load of loads) await load.stop();
    expect(loads.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(server.stats().refused).toEqual({});
    await until(() => numbers().length === 2 && allReady(), 'the end of the last shard');
    await expectConserved(scene.running);
  });

  test('a shard whose heap has grown beyond maxShardHeapMb is replaced, and no request fails', async () => {
    const { ports } = await start({ shards: 2, recovery: { maxShardHeapMb: 48 } });
    const load = new Load(ports, { prefix: '/keep/', connections: 4 });
    const text = 'its heap is larger than 48 MiB (`recovery.maxShardHeapMb`)';
    await until(() => messages().some((message) => message.includes(text)), 'the replacement');
    await until(() => !(numbers().includes(0) && numbers().includes(1)), 'the end of the old shard');
    await load.passed(100);
    await load.stop();
    expect(load.wrong).toEqual([]);
    await expectConserved(scene.running);
  });

  test('a replacement and the end of the same shard do not disturb each other', async () => {
    const { ports, server } = await start();
    const load = new Load(ports, { prefix: '/later/1/' });
    await load.passed(50);
    scene.life.mark('load-ms', '300');
    const restarted = server.restartShard(1);
    await until(() => shards().some(({ state }) => state === 'loading'), 'the new shard');
    scene.life.unmark('load-ms');
    // Which shard ends depends on the load.
    expect((await ask('/exit')).status).toBe(502);
    await restarted;
    await until(() => numbers().join() === '0,2,3' && allReady(), 'the replacement');
    await load.passed(50);
    await load.stop();
    // Only requests that the ended shard had started are lost.
    expect(load.wrong.filter((line) => !line.includes(' 502 '))).toEqual([]);
    await expectConserved(scene.running);
  });

  test('a shard takes over the index of the one that it replaces', async () => {
    const { server } = await start({ shards: 1 });
    const info = async () => JSON.parse(await text('/info'));
    expect(await info()).toEqual({ shard: 0, group: 'default', index: 0 });
    expect(await server.restartShard(0)).toBe(1);
    expect(await info()).toEqual({ shard: 1, group: 'default', index: 0 });
  });

  test('a leaving shard finishes what it has started: handlers, streams and upgraded connections', async () => {
    const { ports, server } = await start({ shards: 1 });
    const [stream, chat, slow] = await Promise.all(
      ports
        .concat(ports, ports)
        .slice(0, 3)
        .map((port) => RawClient.open(port)),
    );
    stream.write(get('/stream'));
    await until(() => stream.pending.includes('begin'), 'the stream');
    chat.write(get('/chat', 'Connection: Upgrade', 'Upgrade: chat'));
    await until(() => chat.pending.includes('upgrade: chat'), 'the upgrade');
    slow.write(get('/later/400/slow'));
    await untilStarted(scene.running, 1);
    expect(await server.restartShard(0)).toBe(1);
    expect((await slow.response()).body.toString()).toBe('slow');
    await until(() => stream.pending.includes('\r\nend\r\n0\r\n\r\n'), 'the end of the stream');
    // The connection stays open, and the new shard runs its next request.
    stream.skip(stream.pending.length);
    stream.write(get('/nonce/next'));
    expect((await stream.response()).body.toString()).toBe('next');
    await until(() => chat.pending.includes('bye'), 'the end of the upgraded connection');
    await chat.closed();
    await until(() => numbers().join() === '1', 'the end of the old shard');
    for (const client of [stream, chat, slow]) client.destroy();
    await expectConserved(scene.running);
  });
});

test('a shard that is told to leave twice leaves once', async () => {
  const { server } = await scene.start({ shards: 2 });
  const [first, second] = await Promise.allSettled([server.restartShard(1), server.restartShard(1)]);
  expect(first).toEqual({ status: 'fulfilled', value: 2 });
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'NOT_RUNNING' } });
});

test('an exception that is not caught on a leaving shard does not end it twice', async () => {
  scene.life.mark('notes');
  scene.life.mark('note-close');
  const { server } = await scene.start({ shards: 1 });
  // The handler never settles.
  const throwing = ask('/throw-when-released');
  await untilStarted(scene.running, 1);
  await server.restartShard(0);
  scene.life.mark('release');
  expect((await throwing).status).toBe(500);
  await until(() => numbers().join() === '1', 'the end of the old shard');
  expect(scene.life.notes.filter((note) => note === 'close')).toHaveLength(1);
  expect(messages()).toContain('GET /throw-when-released threw an exception that was not caught');
});

test('a server that closes does not end a leaving shard twice', async () => {
  scene.life.mark('notes');
  scene.life.mark('note-close');
  const { server } = await scene.start({ shards: 1 });
  const slow = ask('/slow/600');
  await untilStarted(scene.running, 1);
  await server.restartShard(0);
  await server.close();
  expect((await slow).body.toString()).toBe('slow');
  // One of each shard.
  expect(scene.life.notes.filter((note) => note === 'close')).toHaveLength(2);
});

test('a stream that does not end breaks off after closeTimeoutMs, and the shard ends', async () => {
  scene.life.mark('stream-goes-on');
  const { server, port } = await scene.start({ shards: 1, timeouts: { closeTimeoutMs: 800 } });
  const client = await RawClient.open(port);
  client.write(get('/stream'));
  await until(() => client.pending.includes('begin'), 'the stream');
  await server.restartShard(0);
  await client.closed();
  expect(client.pending.toString()).not.toContain('\r\n0\r\n');
  await until(() => numbers().join() === '1', 'the end of the old shard');
  await expectConserved(scene.running);
});

describe('close()', () => {
  test('ends a replacement that waits for a free number', async () => {
    const { server, port } = await scene.start({ shards: 1, timeouts: { closeTimeoutMs: 300 } });
    // Its thread cannot be terminated, so its number is not free.
    const client = await RawClient.open(port);
    client.write(get('/native'));
    await untilStarted(scene.running, 1);
    expect(await server.restartShard(0)).toBe(1);
    const failed = expect(server.restartShard(1)).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    expect(await text('/ok')).toBe('ok');
    expect(numbers()).toEqual([0, 1]);
    await server.close();
    await failed;
    scene.life.mark('release');
    client.destroy();
  });

  test('ends a shard that leaves', async () => {
    const { server } = await scene.start({ shards: 1 });
    const slow = ask('/slow/300');
    await untilStarted(scene.running, 1);
    await server.restartShard(0);
    await server.close();
    expect((await slow).body.toString()).toBe('slow');
  });
});

test.each([
  ['throws', 'throw', 'MODULE_FAILED', 60_000],
  ['exits', 'never', 'SHARD_FAILED', 60_000],
  ['takes longer than startTimeoutMs', 'hang', 'SHARD_FAILED', 5_000],
])('a new shard whose module %s leaves the old one serving, and its number free', async (_how, mark, code, ms) => {
  const { server } = await scene.start({ shards: 2, timeouts: { startTimeoutMs: ms } });
  scene.life.mark(mark);
  const load = new Load(scene.running.port);
  await expect(server.restartShard(0)).rejects.toMatchObject({ code });
  scene.life.unmark(mark);
  await until(() => numbers().join() === '0,1', 'the end of the new shard');
  expect(await server.restartShard(0)).toBe(2);
  await load.stop();
  expect(load.wrong).toEqual([]);
  expect(shards().map(({ isCircuitOpen }) => isCircuitOpen)).not.toContain(true);
  await expectConserved(scene.running);
});

test('a reload while a shard is replaced, and a replacement while the server reloads, lose no request', async () => {
  const { server } = await scene.start({ shards: 2, httpThreads: 1 });
  const load = new Load(scene.running.port);
  await load.passed(20);
  const outcomes = async (all: Promise<unknown>[]) =>
    (await Promise.allSettled(all)).map((one) => (one.status === 'rejected' ? one.reason.code : 'done'));
  for (let i = 0; i < 2; i++) {
    const [reloaded, restarted] = await outcomes([server.reload(), server.restartShard(numbers()[0])]);
    expect(reloaded).toBe('done');
    // If the reload was faster, it has replaced that shard too.
    expect(['done', 'NOT_RUNNING']).toContain(restarted);
    const [later, reloadedToo] = await outcomes([server.restartShard(numbers()[1]), server.reload()]);
    expect(['done', 'NOT_RUNNING']).toContain(later);
    expect(reloadedToo).toBe('done');
  }
  await load.passed(20);
  await load.stop();
  expect(load.wrong).toEqual([]);
  await until(() => server.stats().retiring === 0 && numbers().length === 2 && allReady(), 'the end of the old shards');
  await expectConserved(scene.running);
});

test('a replacement that fails is attempted again after ten seconds', async () => {
  await scene.start({ shards: 1, recovery: { maxRequestsPerShard: 100 } });
  scene.life.mark('throw');
  const load = new Load(scene.running.port);
  await until(
    () => messages().some((message) => message.startsWith('shard 0 continues, because its replacement failed: ')),
    'the failure',
  );
  scene.life.unmark('throw');
  await until(() => numbers().join() === '1', 'the replacement');
  await load.stop();
  expect(load.wrong).toEqual([]);
});

test('a shard whose circuit is open can be restarted', async () => {
  const { server } = await scene.start({ shards: 1, recovery: { maxRestarts: 1 } });
  for (let i = 0; i < 2; i++) {
    await until(allReady, 'the shard');
    expect((await ask('/exit')).status).toBe(502);
  }
  await until(() => shards()[0].isCircuitOpen, 'the circuit to open');
  expect((await ask('/ok')).status).toBe(503);
  expect(await server.restartShard(0)).toBe(1);
  expect(await text('/ok')).toBe('ok');
  await until(() => numbers().join() === '1' && !shards()[0].isCircuitOpen, 'the end of the old shard');
});
