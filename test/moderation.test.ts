import { expect, test } from '@jest/globals';
import { Moderation } from '../build/src/http/completion/moderation.js';
import { exchange, get, RawClient } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer } from './support/server.js';

/** A shard as the HTTP thread sees it. */
interface Seen {
  queued: number;
  requestUs: number;
  isAsleep?: boolean;
  /** Between two handlers. */
  isIdle?: boolean;
  isMissing?: boolean;
  /** Requests of other HTTP threads. */
  others?: number;
}

function moderationOf(groups: Seen[][], isEven = true): Moderation {
  const all = groups.flat();
  let first = 0;
  const shards = {
    map: { shards: all.length },
    groups: groups.map((group) => {
      first += group.length;
      return { name: 'x', first: first - group.length, count: group.length };
    }),
    clock: { nowUs: () => 7 },
    load: {
      now: 0,
      ready: Uint8Array.from(all, ({ isMissing }) => (isMissing ? 0 : 1)),
      isAwake: (shard: number) => all[shard].isAsleep !== true,
      isRunning: (shard: number) => all[shard].isIdle !== true,
      requestUs: (shard: number) => all[shard].requestUs,
      lastRequestUs: (shard: number) => all[shard].requestUs,
    },
  };
  const queues = {
    own: (shard: number) => all[shard].queued,
    lookAtOwn: (shard: number) => all[shard].queued,
    seen: (shard: number) => all[shard].queued + (all[shard].others ?? 0),
  };
  return new Moderation(shards as never, queues as never, new Array(groups.length).fill(isEven));
}

/** Returns how long an HTTP thread pauses, by group of shards. */
const pauseUs = (groups: Seen[][], isEven = true): number => moderationOf(groups, isEven).pauseUs();

const busy = (queued: number, requestUs = 100): Seen => ({ queued, requestUs });

test('a pause takes half of the time in which the shards would run out of requests, at most a millisecond', () => {
  expect(pauseUs([[busy(4)]])).toBe(200);
  expect(pauseUs([[busy(4), busy(8)]])).toBe(300);
  expect(pauseUs([[busy(4), busy(0)]])).toBe(100);
  expect(pauseUs([[busy(400), busy(400)]])).toBe(1_000);
  expect(pauseUs([[{ ...busy(4), others: 4 }]])).toBe(400);
});

test('no pause is shorter than it takes to save a few wake-ups', () => {
  expect(pauseUs([[busy(2)]])).toBe(100);
  expect(pauseUs([[busy(1)]])).toBe(0);
  expect(pauseUs([[busy(1, 200)]])).toBe(100);
  expect(pauseUs([[busy(200, 0)]])).toBe(0);
});

test('without queued requests of its own, the thread does not pause', () => {
  expect(pauseUs([[{ ...busy(0), others: 50 }]])).toBe(0);
});

test('while a shard sleeps, the thread does not pause: the next request may be for it', () => {
  expect(pauseUs([[busy(9), { ...busy(0), isAsleep: true }]])).toBe(0);
  expect(pauseUs([[busy(9)], [{ ...busy(0), isAsleep: true }]])).toBe(0);
  expect(pauseUs([[busy(9), { ...busy(0), isMissing: true, isAsleep: true }]])).toBe(450);
  expect(pauseUs([[{ ...busy(9), isMissing: true }]])).toBe(0);
});

test('while most shards are about to take their next request, the thread does not pause', () => {
  const idle = { ...busy(9), isIdle: true };
  expect(pauseUs([[idle]])).toBe(0);
  expect(pauseUs([[busy(9), idle]])).toBe(450);
  expect(pauseUs([[busy(9), idle, idle]])).toBe(0);
});

test('with less than one queued request for each shard, the thread does not pause', () => {
  expect(pauseUs([[busy(1, 1_000), busy(0, 1_000)]])).toBe(0);
  expect(pauseUs([[busy(1, 1_000), busy(1, 1_000)]])).toBe(500);
});

test('after a connection was accepted, the thread does not pause: others may be waiting', () => {
  const moderation = moderationOf([[busy(9)]]);
  moderation.accepted();
  expect([moderation.pauseUs(), moderation.pauseUs()]).toEqual([0, 450]);
});

test('the group with the shortest queues decides', () => {
  expect(pauseUs([[busy(20)], [busy(4)]])).toBe(200);
  expect(pauseUs([[busy(20)], [busy(0)]])).toBe(0);
});

test('where shards do not share their queues, the shortest queue decides', () => {
  expect(pauseUs([[busy(4), busy(8)]], false)).toBe(200);
  expect(pauseUs([[busy(40), busy(1)]], false)).toBe(0);
});

test('an HTTP thread pauses while all shards compute, and loses nothing', async () => {
  const running = await startServer({ ...ONE_HTTP_THREAD, shards: 1 }, 'scheduling-app.js');
  const pauses = () => running.server.stats().pauses;
  for (let i = 0; i < 50; i++) await exchange(running.port, get('/thread'));
  expect(pauses()).toBe(0);
  const statuses: number[] = [];
  const clients = Array.from({ length: 20 }, async () => {
    const client = await RawClient.open(running.port);
    for (let i = 0; i < 5; i++) {
      client.write(get('/busy/2'));
      statuses.push((await client.response()).status);
    }
    client.destroy();
  });
  await Promise.all(clients);
  expect(statuses).toEqual(new Array(100).fill(200));
  expect(pauses()).toBeGreaterThan(10);
  await expectConserved(running);
  await running.server.close();
});

test('while handlers only wait, the HTTP thread does not pause', async () => {
  const running = await startServer({ ...ONE_HTTP_THREAD, shards: 1 }, 'scheduling-app.js');
  for (let i = 0; i < 50; i++) await exchange(running.port, get('/sleep/1'));
  const before = running.server.stats().pauses;
  await Promise.all(Array.from({ length: 100 }, () => exchange(running.port, get('/sleep/50'))));
  expect(running.server.stats().pauses - before).toBeLessThan(5);
  await running.server.close();
});

test('a shard in the HTTP thread is never paused', async () => {
  const running = await startServer({ shards: 0 }, 'scheduling-app.js');
  await Promise.all(Array.from({ length: 50 }, () => exchange(running.port, get('/busy/2'))));
  expect(running.server.stats().pauses).toBe(0);
  await running.server.close();
});
