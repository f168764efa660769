import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { exchange, get, post, RawClient } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';
import { outcome, Stage } from './support/stage.js';

let running: TestServer;

beforeEach(async () => {
  running = await startServer({ shards: 2 });
});

afterEach(async () => {
  await expectConserved(running);
  await running.server.close();
});

const bothReady = () => running.server.stats().shards.every(({ state }) => state === 'ready');
const restarts = () => running.server.stats().shards.reduce((sum, shard) => sum + shard.restarts, 0);

test.each(['/exit', '/exit-later'])('a shard that ends by %s is replaced, and its request gets 502', async (target) => {
  const { status, body } = await exchange(running.port, get(target));
  expect([status, JSON.parse(body.toString()).code]).toEqual([502, 'SHARD_LOST']);
  await until(() => bothReady() && restarts() === 1, 'another thread');
  for (let i = 0; i < 10; i++)
    expect((await exchange(running.port, get(`/async/${i}`))).body.toString()).toBe(String(i));
  expect(
    running.logged.some(({ level, message }) => level === 'error' && /shard \d ended unexpectedly/.test(message)),
  ).toBe(true);
});

test('other shards continue, and no client gets a response to another request', async () => {
  const clients = await Promise.all(Array.from({ length: 32 }, () => RawClient.open(running.port)));
  let lost = 0;
  let answered = 0;
  const rounds = 150;
  await Promise.all(
    clients.map(async (client, number) => {
      for (let round = 0; round < rounds; round++) {
        const nonce = `${number}-${round}`;
        const dies = number === 0 && round % 50 === 10;
        if (dies) await until(bothReady, 'both shards, one of which will end');
        client.write(get(dies ? '/exit' : `/later/${round % 3}/${nonce}`));
        const { status, body } = await client.response();
        if (status === 200) {
          expect(body.toString()).toBe(nonce);
          answered++;
        } else {
          expect([502, 503]).toContain(status);
          lost++;
        }
      }
      client.destroy();
    }),
  );
  expect(answered + lost).toBe(clients.length * rounds);
  expect(lost).toBeGreaterThanOrEqual(3);
  // Each end loses only the requests that the shard had claimed.
  expect(lost).toBeLessThanOrEqual(3 * clients.length);
  await until(bothReady, 'the replacements');
});

test('while no shard is left, requests wait or are rejected, and later all succeed', async () => {
  await Promise.all([exchange(running.port, get('/exit')), exchange(running.port, get('/exit'))]);
  const { status } = await exchange(running.port, get('/json'));
  expect([200, 503]).toContain(status);
  await until(bothReady, 'the replacements');
  expect((await exchange(running.port, get('/json'))).status).toBe(200);
});

test('requests queued behind one that kills its shard are run by another thread', async () => {
  await running.server.close();
  running = await startServer({ shards: 1, scheduling: { permits: 1 } });
  const clients = await Promise.all(Array.from({ length: 6 }, () => RawClient.open(running.port)));
  clients[0].write(get('/exit-later'));
  await until(() => running.server.stats().shards[0].permits.available === 0, 'the fatal request to start');
  for (const [i, client] of clients.slice(1).entries()) client.write(get(`/sync/${i}`));
  expect((await clients[0].response()).status).toBe(502);
  for (const [i, client] of clients.slice(1).entries())
    expect((await client.response()).body.toString()).toBe(String(i));
  for (const client of clients) client.destroy();
});

test('requests that wait for a shard that cannot be restarted are rejected', async () => {
  await running.server.close();
  const marker = new URL('../build/broken-marker', import.meta.url);
  await rm(marker, { force: true });
  running = await startServer({ shards: 1, scheduling: { permits: 1 } }, 'breaks-later.js');
  const [fatal, waiting] = await Promise.all([RawClient.open(running.port), RawClient.open(running.port)]);
  fatal.write(get('/break'));
  await until(() => running.server.stats().shards[0].permits.available === 0, 'the fatal request to start');
  waiting.write(get('/fine'));
  expect((await fatal.response()).status).toBe(502);
  const refused = await waiting.response();
  expect([refused.status, JSON.parse(refused.body.toString()).code]).toEqual([503, 'NO_SHARD']);
  expect((await exchange(running.port, get('/fine'))).status).toBe(503);
  await rm(marker);
  await until(bothReady, 'a thread that starts');
  expect((await exchange(running.port, get('/fine'))).status).toBe(200);
  fatal.destroy();
  waiting.destroy();
});

test('bodies larger than a slot are never mixed up, whatever happens to the shards', async () => {
  await running.server.close();
  running = await startServer({ shards: 2, memory: { slots: 8, slotBytes: 4_096 } }, 'slow-start.js');
  const clients = await Promise.all(Array.from({ length: 6 }, () => RawClient.open(running.port)));
  let answered = 0;
  await Promise.all(
    clients.map(async (client, number) => {
      for (let round = 0; round < 60; round++) {
        const body = `${number}-${round}-`.padEnd(20_000, String(number));
        const dies = number === 0 && (round === 5 || round === 25);
        client.write(dies ? get('/exit') : post('/echo', body));
        const response = await client.response();
        if (response.status !== 200) continue;
        answered++;
        if (response.body.toString() !== body)
          throw new Error(`${body.slice(0, 8)} got ${response.body.subarray(0, 8)}`);
      }
      client.destroy();
    }),
  );
  expect(answered).toBeGreaterThan(100);
  await until(bothReady, 'the replacements');
});

test('a module that was changed under a running server is rejected until its routes match again', async () => {
  await running.server.close();
  const marker = new URL('../build/changed-marker', import.meta.url);
  await rm(marker, { force: true });
  running = await startServer({ shards: 1 }, 'changes-later.js');
  await exchange(running.port, get('/change'));
  await until(
    () => running.logged.some(({ details }) => (details.err as { code?: string })?.code === 'ROUTES_DIFFER'),
    'the refusal',
  );
  expect((await exchange(running.port, get('/fine'))).status).toBe(503);
  await rm(marker);
  await until(bothReady, 'a thread with the original routes');
  expect((await exchange(running.port, get('/fine'))).status).toBe(200);
});

/** How long requests wait: long enough for all of them to arrive. */
const HELD_MS = 1_500;

test('more completions than one poll takes are processed if the shard ends at that moment', async () => {
  await running.server.close();
  running = await startServer({ shards: 1, ...ONE_HTTP_THREAD });
  // Before a response of the route was seen, a connection may have fewer of its requests in flight.
  expect((await exchange(running.port, get('/later/1/x'))).status).toBe(200);
  const clients = await Promise.all(Array.from({ length: 60 }, () => RawClient.open(running.port)));
  const begin = performance.now();
  for (const client of clients) client.write(get(`/later/${HELD_MS}/x`).repeat(50));
  const outstanding = () => running.server.stats().outstanding;
  await until(() => outstanding() > 2_000, 'the requests to arrive');
  // They complete as far apart as they have arrived. When half of them have, the shard ends.
  const spread = performance.now() - begin;
  const killer = await RawClient.open(running.port);
  killer.write(get(`/exit-after/${Math.round(begin + HELD_MS + spread / 2 - performance.now())}`));
  const before = outstanding();
  await until(() => outstanding() > before, 'the last request');
  // The HTTP thread is blocked while the shard completes and ends.
  while (performance.now() < begin + HELD_MS + 2 * spread);
  let answers = 0;
  for (const client of clients) {
    for (let i = 0; i < 50; i++) {
      const { status, body } = await client.response();
      if (status === 200) expect(body.toString()).toBe('x');
      answers++;
    }
    client.destroy();
  }
  killer.destroy();
  expect(answers).toBe(3_000);
  await until(bothReady, 'the replacement');
});

describe('a request that a shard had claimed and not started when it ended', () => {
  let stage: Stage;

  beforeEach(async () => {
    await running.server.close();
    stage = new Stage();
    running = await startServer(
      { shards: 2, scheduling: { steal: false }, memory: { slotBytes: 4_096 } },
      'scheduling-app.js',
    );
    await until(() => running.server.stats().shards.every(({ parks }) => parks > 0), 'the shards to sleep');
  });

  afterEach(() => stage.end());

  /** Sends requests at once, the first of which ends its shard, and waits until that has claimed them all. */
  async function claimTogether(requests: (string | Uint8Array)[], waiting: number): Promise<RawClient> {
    const client = await RawClient.open(running.port);
    client.write(Buffer.concat(requests.map((request) => Buffer.from(request as string))));
    const { length } = requests;
    await until(() => {
      const { shards } = running.server.stats();
      const claimed = shards.every(({ queued }) => queued === 0);
      return stage.started.length === length - waiting && claimed;
    }, 'a claim of all requests');
    return client;
  }

  const request = (path: string) => get(stage.target(path), 'X-Key: same');

  test('is run by another one, once', async () => {
    // Every other request goes to the shard that ends.
    const paths = ['/die/fatal', ...Array.from({ length: 9 }, (_, i) => `/run/${i}`)];
    const client = await claimTogether(paths.map(request), 4);
    const dying = stage.threadOf('fatal');
    stage.release('fatal');
    expect(await outcome(client.response())).toEqual([502, 'SHARD_LOST']);
    for (let i = 0; i < 9; i++) {
      const { id, threadId } = JSON.parse((await client.response()).body.toString());
      expect(id).toBe(String(i));
      expect(threadId).not.toBe(dying);
    }
    expect([...stage.started].sort()).toEqual([...new Set(stage.started)].sort());
    client.destroy();
    await until(bothReady, 'the replacement');
  });

  test('is run by another one even if it has a key', async () => {
    const paths = ['/sticky/die/fatal', '/sticky/run/1', '/sticky/run/2', '/sticky/run/3'];
    const client = await claimTogether(paths.map(request), 3);
    // And these are queued in its ring.
    client.write(request('/sticky/run/4') + request('/sticky/run/5'));
    await until(() => running.server.stats().outstanding === 6, 'the requests to arrive');
    stage.release('fatal');
    expect((await client.response()).status).toBe(502);
    for (let i = 1; i <= 5; i++) expect(JSON.parse((await client.response()).body.toString()).id).toBe(String(i));
    expect(stage.started).toHaveLength(6);
    client.destroy();
    await until(bothReady, 'the replacement');
  });

  test('is run by another one even if its record does not fit a slot', async () => {
    const large = post(stage.target('/sticky/large/1'), 'x'.repeat(10_000), 'X-Key: same');
    const client = await claimTogether([request('/sticky/die/fatal'), large, request('/sticky/run/2')], 2);
    client.write(large);
    await until(() => running.server.stats().outstanding === 4, 'the last request to arrive');
    stage.release('fatal');
    const outcomes = [];
    for (let i = 0; i < 4; i++) outcomes.push(await outcome(client.response()));
    const answered = [200, undefined];
    expect(outcomes).toEqual([[502, 'SHARD_LOST'], answered, answered, answered]);
    client.destroy();
    await until(bothReady, 'the replacement');
    await expectConserved(running);
  });

  test('is dropped if its client has disconnected', async () => {
    const client = await claimTogether(['/sticky/die/fatal', '/sticky/run/1', '/sticky/run/2'].map(request), 2);
    client.socket.resetAndDestroy();
    await until(() => running.server.stats().connections === 0, 'the client to disconnect');
    stage.release('fatal');
    await until(() => restarts() === 1 && bothReady(), 'the replacement');
    await expectConserved(running);
    expect(stage.started).toEqual(['fatal']);
  });
});

test('a stolen request outlives the shard that it was first given to', async () => {
  await running.server.close();
  const stage = new Stage();
  running = await startServer({ shards: 2, scheduling: { dispatch: 'round-robin' } }, 'scheduling-app.js');
  const fatal = await stage.send(running, '/die/fatal');
  await until(() => stage.started.length === 1, 'the start');
  const pending = await Promise.all(Array.from({ length: 6 }, (_, i) => stage.send(running, `/wait/${i}`)));
  await until(() => stage.started.length === 7, 'the thefts');
  stage.release('fatal');
  expect((await fatal.response).status).toBe(502);
  await until(bothReady, 'the replacement');
  stage.release(0, 1, 2, 3, 4, 5);
  for (const { response } of pending) expect((await response).status).toBe(200);
  stage.end();
});
