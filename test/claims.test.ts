import { afterEach, describe, expect, test } from '@jest/globals';
import { HttpSide } from '../build/src/contract/http-side.js';
import { Claims } from '../build/src/shard/loop/claims.js';
import { ThreadTime } from '../build/src/shard/loop/thread-time.js';
import { get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';
import { createShard } from './support/shard-context.js';
import { Stage } from './support/stage.js';

/** The shared memory of a server without its threads, with the claims of shard 0. */
function memory({ shards = 1, permits = 512, batch = 256, steal = true } = {}) {
  const { context, map, close } = createShard({ shards, permits, slots: 512, steal });
  close();
  const { core, side } = context;
  const rings = new HttpSide(core, map);
  const threadTime = new ThreadTime(context.counters);
  const claims = new Claims(context, batch, threadTime);
  let next = 0;
  const submit = (count: number, shard = 0, bound = false) => {
    const slots = Array.from({ length: count }, () => next++);
    for (const slot of slots) rings.submit(slot, shard, bound);
    return slots;
  };
  const claimed = (count: number) => Array.from({ length: count }, (_, i) => side.claimed(i));
  const release = (count: number) => {
    for (let i = 0; i < count; i++) side.permits.release();
  };
  return { core, side, rings, claims, threadTime, submit, claimed, release };
}

describe('a shard claims', () => {
  test('eight requests, oldest first, while it does not know how long they take', () => {
    const { claims, submit, claimed } = memory();
    const slots = submit(20);
    expect(claimed(claims.claim())).toEqual(slots.slice(0, 8));
    expect(claimed(claims.claim())).toEqual(slots.slice(8, 16));
    expect(claimed(claims.claim())).toEqual(slots.slice(16));
    expect(claims.claim()).toBe(0);
  });

  test('one request after a slow handler, and more again after a few hundred fast ones', () => {
    const { claims, submit } = memory();
    claims.learn(50_000);
    submit(200);
    expect(claims.claim()).toBe(1);
    for (let i = 0; i < 200; i++) claims.learn(10);
    expect(claims.claim()).toBe(1);
    for (let i = 0; i < 300; i++) claims.learn(10);
    expect(claims.claim()).toBeGreaterThan(20);
  });

  test('as many as take a millisecond, with what their handlers do after an `await`', () => {
    const { claims, threadTime, submit } = memory();
    submit(200);
    for (let i = 0; i < 2_000; i++) claims.learn(10);
    for (let i = 0; i < 100; i++) threadTime.turned(1, 200, 0);
    expect([4, 5]).toContain(claims.claim());
    for (let i = 0; i < 100; i++) threadTime.turned(1, 5_000, 0);
    expect(claims.claim()).toBe(1);
  });

  test('as many as it can start within a millisecond, up to a batch', () => {
    const { claims, submit } = memory({ batch: 30 });
    submit(100);
    for (let i = 0; i < 2_000; i++) claims.learn(100);
    expect([9, 10]).toContain(claims.claim());
    for (let i = 0; i < 2_000; i++) claims.learn(0);
    expect(claims.claim()).toBe(30);
  });

  test('no more than it has permits', () => {
    const { claims, side, submit, release } = memory({ permits: 3 });
    submit(6);
    expect(claims.claim()).toBe(3);
    expect(side.permits.available).toBe(0);
    expect(claims.claim()).toBe(0);
    release(2);
    expect(claims.claim()).toBe(2);
  });

  test('a share, if others can steal', () => {
    const { claims, submit } = memory({ shards: 4 });
    for (let i = 0; i < 2_000; i++) claims.learn(20);
    submit(100);
    expect(claims.claim()).toBe(25);
    expect(claims.claim()).toBe(19);
    // No other shard could start requests sooner that start within 50 µs.
    const fast = memory({ shards: 4 });
    for (let i = 0; i < 2_000; i++) fast.claims.learn(2);
    fast.submit(10);
    expect(fast.claims.claim()).toBe(8);
    const alone = memory({ shards: 4, steal: false });
    for (let i = 0; i < 2_000; i++) alone.claims.learn(1);
    alone.submit(100);
    expect(alone.claims.claim()).toBe(100);
  });

  test('bound requests and others alternately first', () => {
    const { claims, submit, claimed } = memory();
    const bound = submit(10, 0, true);
    const free = submit(10);
    expect(claimed(claims.claim())).toEqual(bound.slice(0, 8));
    expect(claimed(claims.claim())).toEqual(free.slice(0, 8));
    expect(claimed(claims.claim())).toEqual(bound.slice(8));
    expect(claimed(claims.claim())).toEqual(free.slice(8));
  });

  test('no recalled requests, and uses no permits for them', () => {
    const { claims, side, submit, claimed, rings } = memory({ permits: 4 });
    const slots = submit(6);
    for (const slot of slots.slice(0, 4)) expect(rings.recall(slot)).toBe(true);
    expect(claimed(claims.claim())).toEqual(slots.slice(4));
    expect(side.permits.available).toBe(2);
    expect(slots.slice(4).map((slot) => rings.recall(slot))).toEqual([false, false]);
  });
});

describe('a shard steals', () => {
  test('half of the requests that others may run in the fullest ring', () => {
    const { claims, submit, claimed, rings } = memory({ shards: 3 });
    for (let i = 0; i < 2_000; i++) claims.learn(1);
    submit(6, 1);
    submit(40, 2, true);
    const fullest = submit(10, 2);
    expect(claims.claim()).toBe(0);
    expect(claimed(claims.steal())).toEqual(fullest.slice(0, 5));
    expect(fullest.slice(0, 5).map((slot) => rings.heldBy(slot))).toEqual([0, 0, 0, 0, 0]);
    expect(claims.steal()).toBe(3);
    let rest = 0;
    for (let count = claims.steal(); count > 0; count = claims.steal()) rest += count;
    expect(rest).toBe(8);
    expect(rings.queued(2)).toBe(40);
  });

  test('nothing without a permit', () => {
    const { claims, submit } = memory({ shards: 2, permits: 2 });
    submit(10, 1);
    expect(claims.steal()).toBe(2);
    expect(claims.steal()).toBe(0);
  });
});

describe('on a server', () => {
  let running: TestServer;
  const stage = new Stage();

  afterEach(async () => {
    stage.end();
    await expectConserved(running);
    await running.server.close();
  });

  test('a handler that blocks delays few requests behind it; other shards run the rest', async () => {
    running = await startServer({ shards: 2 }, 'scheduling-app.js');
    const parked = () => running.server.stats().shards.every(({ parks }) => parks > 0);
    await until(parked, 'all shards to sleep');
    const client = await RawClient.open(running.port);
    const others = Array.from({ length: 40 }, (_, i) => get(stage.target(`/run/${i}`))).join('');
    client.write(get(stage.target('/hold/slow')) + others);
    // Up to seven requests were claimed together with the slow one, before its shard had measured it.
    await until(() => stage.started.length >= 34, 'most of the requests');
    // From now on, the shard knows that the handler is slow and claims nothing together with it.
    stage.release('slow');
    for (let i = 0; i < 41; i++) expect((await client.response()).status).toBe(200);
    client.destroy();
    expect(stage.started).toHaveLength(41);
  });

  test('a shard finishes a handler that works after an `await` before it starts the next one', async () => {
    running = await startServer({ shards: 1 }, 'scheduling-app.js');
    const render = async () => {
      const client = await RawClient.open(running.port);
      client.write(get('/render/4').repeat(16));
      const most = [];
      for (let i = 0; i < 16; i++) most.push(JSON.parse((await client.response()).body.toString()).most);
      client.destroy();
      return most;
    };
    // Until the shard has measured it, it starts several together.
    await until(async () => (await render()).every((most) => most === 1), 'one at a time');
    expect(await render()).toEqual(Array.from({ length: 16 }, () => 1));
  });
});
