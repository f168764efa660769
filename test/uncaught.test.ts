import { describe, expect, test } from '@jest/globals';
import { exchange, get } from './support/client.js';
import { useLife } from './support/life.js';
import { expectConserved, until } from './support/server.js';

const scene = useLife({ shards: 1, timeouts: { closeTimeoutMs: 2_000 } });

const started = () => scene.running.server.stats().shards.reduce((sum, { requests }) => sum + requests, 0);
const messages = () => scene.running.logged.map(({ message }) => message);

describe.each(['/throw', '/reject'])('an uncaught exception, by %s', (path) => {
  test('does not affect other requests of its shard, which is then replaced', async () => {
    const { server, port } = await scene.start({ shards: 2, scheduling: { dispatch: 'round-robin', steal: false } });
    const states: string[] = [];
    server.on('shard', ({ shard, state }) => void states.push(`${shard} ${state}`));
    const others = Array.from({ length: 8 }, () => exchange(port, get('/slow/300')));
    await until(() => started() === 8, 'the other requests to start');
    const fatal = exchange(port, get(path));
    await until(() => states.length > 0, 'the exception');
    const [shard] = states[0].split(' ');
    const later = Array.from({ length: 4 }, () => exchange(port, get('/ok')));
    for (const response of await Promise.all([...others, ...later])) expect(response.status).toBe(200);
    const { status, body } = await fatal;
    expect([status, JSON.parse(body.toString()).code]).toEqual([500, 'HANDLER_FAILED']);
    await until(() => server.stats().shards.every(({ state }) => state === 'ready'), 'the replacement');
    expect(states).toEqual(['draining', 'ended', 'spawning', 'loading', 'ready'].map((state) => `${shard} ${state}`));
    expect(messages()).toContainEqual(
      expect.stringMatching(`GET ${path} threw an exception that was not caught; shard ${shard} is being replaced`),
    );
    await expectConserved(scene.running);
  });

  test('ends the shard immediately with onUncaught: exit', async () => {
    const { port } = await scene.start({ recovery: { onUncaught: 'exit' } });
    const other = exchange(port, get('/slow/20000'));
    await until(() => started() === 1, 'the other request to start');
    expect((await exchange(port, get(path))).status).toBe(502);
    expect((await other).status).toBe(502);
  });

  test('leaves the shard running with onUncaught: continue', async () => {
    const { server, port } = await scene.start({ recovery: { onUncaught: 'continue' } });
    expect((await exchange(port, get(path))).status).toBe(500);
    expect(messages().some((message) => /caught/.test(message))).toBe(true);
    expect((await exchange(port, get('/ok'))).status).toBe(200);
    expect(server.stats().shards[0]).toMatchObject({ state: 'ready', restarts: 0 });
  });
});

test('requests queued for the shard are run by its replacement', async () => {
  const { server, port } = await scene.start({ scheduling: { permits: 2 } });
  const other = exchange(port, get('/slow/600'));
  const fatal = exchange(port, get('/throw-later'));
  await until(() => started() === 2, 'both requests to start');
  const waiting = exchange(port, get('/ok'));
  await until(() => server.stats().shards[0].queued === 1, 'the request that waits');
  expect((await other).status).toBe(200);
  expect((await waiting).status).toBe(200);
  expect((await fatal).status).toBe(500);
  expect(server.stats().shards[0].restarts).toBe(1);
});

test('requests that arrive while the only shard is replaced are run by its replacement', async () => {
  const { server, port } = await scene.start();
  const other = exchange(port, get('/slow/600'));
  await until(() => started() === 1, 'the other request to start');
  expect((await exchange(port, get('/throw'))).status).toBe(500);
  await until(() => server.stats().shards[0].state === 'draining', 'the end to begin');
  const coming = Array.from({ length: 5 }, () => exchange(port, get('/ok')));
  for (const response of [await other, ...(await Promise.all(coming))]) expect(response.status).toBe(200);
  expect(server.stats().shards[0].restarts).toBe(1);
});

test('a shard that keeps throwing while it ends does not flood the log', async () => {
  const { server, port } = await scene.start();
  const other = exchange(port, get('/slow/600'));
  await until(() => started() === 1, 'the other request to start');
  expect((await exchange(port, get('/throw-often'))).status).toBe(500);
  expect((await other).status).toBe(200);
  await until(() => server.stats().shards[0].restarts === 1, 'the replacement');
  const lines = messages().filter((message) => /caught/.test(message));
  expect(lines).toHaveLength(11);
  expect(lines[0]).toMatch(/GET \/throw-often threw an exception that was not caught; shard 0 is being replaced/);
});

test('a shard that does not end within closeTimeoutMs after an exception is terminated', async () => {
  const { server, port } = await scene.start({ timeouts: { closeTimeoutMs: 500 }, recovery: { stuckAfterMs: 0 } });
  const fatal = exchange(port, get('/throw-and-spin'));
  expect((await fatal).status).toBe(500);
  await until(() => server.stats().shards[0].restarts === 1, 'the replacement');
});
