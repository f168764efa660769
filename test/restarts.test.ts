import { type AddressInfo, createServer } from 'node:net';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { Restarts } from '../build/src/pool/restarts.js';
import { exchange, field, get } from './support/client.js';
import { useLife } from './support/life.js';
import { createRandom } from './support/random.js';
import { startServer, until } from './support/server.js';

describe('the delay before the next thread', () => {
  test('doubles while threads live for less than a second, ready or not', () => {
    const restarts = new Restarts(100, () => 0);
    const lives = [0, 20, 400, 999, 0, 0, 0, 0, 0, 0, 0];
    const delays = lives.map((livedMs) => restarts.next(livedMs, 0));
    expect(delays).toEqual([10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_000, 5_000]);
  });

  test('is zero after a thread that has lived for a second, and then starts again', () => {
    const restarts = new Restarts(100, () => 0);
    for (let i = 0; i < 5; i++) restarts.next(0, i);
    expect([restarts.next(1_000, 1_000), restarts.next(0, 1_000)]).toEqual([0, 10]);
  });

  test('is 10 s from the sixth restart within 10 s on, until a thread has lived for 10 s', () => {
    const restarts = new Restarts(5, () => 0);
    let now = 0;
    for (let i = 0; i < 5; i++) {
      expect(restarts.next(1_000, now)).toBe(0);
      now += 1_900;
    }
    expect([restarts.next(1_000, now), restarts.isOpen(0)]).toEqual([10_000, true]);
    now += 19_000;
    expect([restarts.next(9_000, now), restarts.isOpen(0)]).toEqual([10_000, true]);
    now += 20_000;
    expect([restarts.next(10_000, now), restarts.isOpen(0)]).toEqual([0, false]);
  });

  test('is short with maxRestarts 0, except after a failed start', () => {
    const restarts = new Restarts(0, () => 0);
    for (let i = 0; i < 50; i++) expect([restarts.next(1, i), restarts.isOpen(0)]).toEqual([10, false]);
    expect(restarts.next(1_000, 0)).toBe(0);
    restarts.next(0, 0);
    expect(restarts.next(0, 0)).toBeGreaterThan(10);
  });
});

test('delays differ at random, by up to half', () => {
  const random = createRandom();
  const delays = Array.from({ length: 200 }, () => new Restarts(100, random).next(0, 0));
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(5);
  expect(Math.min(...delays)).toBeLessThan(6);
  expect(Math.max(...delays)).toBeLessThanOrEqual(10);
  expect(Math.max(...delays)).toBeGreaterThan(9);
});

test('an open circuit is closed while its trial thread has been ready for 10 s', () => {
  const restarts = new Restarts(1, () => 0);
  restarts.next(1_000, 0);
  expect(restarts.next(1_000, 100)).toBe(10_000);
  expect([0, 9_999, 10_000].map((livedMs) => restarts.isOpen(livedMs))).toEqual([true, true, false]);
});

const scene = useLife();

test('a shard that repeatedly dies soon after it was ready opens its circuit, and others take its share', async () => {
  await scene.start({ shards: 2, scheduling: { dispatch: 'round-robin', steal: false } });
  const { server, port, logged } = scene.running;
  scene.life.mark('die-ms', '30');
  expect((await exchange(port, get('/exit'))).status).toBe(502);
  await until(() => server.stats().shards.some(({ isCircuitOpen }) => isCircuitOpen), 'the circuit to open');
  const [open, other] = [true, false].map((is) => server.stats().shards.find((one) => one.isCircuitOpen === is)!);
  expect(open.state).toBe('ended');
  // One more if the first was not within 10 s of the last on a slow machine.
  expect([5, 6]).toContain(open.restarts);
  expect(
    logged.some(({ message }) =>
      /the circuit of shard \d is open after more than 5 restarts within 10 s/.test(message),
    ),
  ).toBe(true);
  for (let i = 0; i < 4; i++) expect((await exchange(port, get('/ok'))).status).toBe(200);
  expect(server.stats().shards[other.shard].requests - other.requests).toBe(4);
  expect(server.stats().shards[open.shard].restarts).toBe(open.restarts);
});

test('with all circuits open, requests get 503 with Retry-After', async () => {
  await scene.start({ shards: 1, recovery: { maxRestarts: 1 } });
  const { server, port } = scene.running;
  for (let i = 0; i < 2; i++) {
    await until(() => server.stats().shards[0].state === 'ready', 'the shard');
    expect((await exchange(port, get('/exit'))).status).toBe(502);
  }
  await until(() => server.stats().shards[0].isCircuitOpen, 'the circuit to open');
  const answer = await exchange(port, get('/ok'));
  expect([answer.status, field(answer, 'retry-after')]).toEqual([503, '1']);
});

describe('the start fails with advice if a module listens on a port, which only the first shard can do', () => {
  const sentence = /EADDRINUSE.* Listen in the main module, next to `serve\(\)`, or on port 0\.$/m;
  let port: number;

  beforeEach(async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, resolve));
    port = (other.address() as AddressInfo).port;
    await new Promise((resolve) => other.close(resolve));
  });

  test.each([
    ['while it is loaded', 'await-listen', 'MODULE_FAILED'],
    ['in the background', 'listen', 'SHARD_FAILED'],
  ])('%s', async (_when, name, code) => {
    scene.life.mark(name, String(port));
    await expect(startServer({ shards: 2 }, scene.life.fixture)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(sentence),
    });
    await scene.start({ shards: 1 });
    expect((await exchange(scene.running.port, get('/ok'))).status).toBe(200);
  });
});
