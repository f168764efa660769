import { expect, test } from '@jest/globals';
import { Load, type LoadSource } from '../build/src/http/admission/load.js';

/** The state of a shard, as the HTTP thread reads it from shared memory. */
const idle = { parked: true, given: false, permits: 512, threadTime: 25_000, calledAt: 0, progress: 0, others: 0 };

/** The load of a shard, and its state. */
function setUp(most = 1_000, httpThreads = 1) {
  const shard = { ...idle };
  const outstanding = new Int32Array(1);
  const source = {
    isGiven: () => shard.given,
    words: {
      isParked: () => shard.parked,
      permitLimit: () => shard.permits,
      threadTime: () => shard.threadTime,
      calledAt: () => shard.calledAt,
      progress: () => shard.progress,
    },
    figures: { outstanding, outstandingOfOthers: () => shard.others },
  } as unknown as LoadSource;
  const load = new Load(source, most, httpThreads);
  load.now = 1_000_000;
  return { shard, load, outstanding };
}

test('a request waits for those before it, as far as they take longer than the HTTP thread', () => {
  const { shard, load, outstanding } = setUp();
  expect(load.waitUs(0)).toBe(0);
  outstanding[0] = 3;
  expect(load.waitUs(0)).toBe(60);
  shard.threadTime = 4_000;
  load.now += 50;
  expect(load.waitUs(0)).toBe(0);
});

test('a shard without measurements gets one request after the other', () => {
  const { shard, load, outstanding } = setUp();
  shard.threadTime = 0;
  outstanding[0] = 1;
  expect(load.waitUs(0)).toBeGreaterThan(100);
});

test('the running handler counts, by the low bits of its start time', () => {
  const { shard, load } = setUp();
  load.now = 2 ** 40 + 5_000;
  shard.calledAt = (2 ** 40 + 1_000) | 1;
  expect(load.waitUs(0)).toBe(3_999);
});

test('a shard that ignores its ring for 1 ms counts as busy, even if others steal its requests', () => {
  const { shard, load } = setUp();
  shard.threadTime = 1_000;
  shard.parked = false;
  const after = (us: number) => {
    load.now += us;
    return load.waitUs(0);
  };
  expect([after(0), after(5_000)]).toEqual([0, 0]);
  load.submitted(0);
  load.completed(0);
  expect([after(900), after(600)]).toEqual([0, 1_500]);
  load.submitted(0);
  expect(after(500)).toBe(2_000);
  shard.progress++;
  expect([after(50), after(5_000)]).toEqual([0, 0]);
});

test('a sleeping shard does not ignore its ring: its doorbell may not have been rung yet', () => {
  const { shard, load } = setUp();
  shard.threadTime = 1_000;
  load.submitted(0);
  shard.given = true;
  load.now += 5_000;
  expect(load.waitUs(0)).toBe(0);
  // The time counts from the last look at which it slept.
  shard.parked = false;
  load.now += 900;
  expect(load.waitUs(0)).toBe(0);
  load.now += 100;
  expect(load.waitUs(0)).toBe(1_000);
});

test('a look reports a shard whose handler keeps other requests waiting for longer than a wake-up takes', () => {
  const { shard, load, outstanding } = setUp();
  const reported: number[] = [];
  load.onHeldUp = (held) => void reported.push(held);
  const lookAfter = (us: number) => {
    load.now += us;
    load.isAwake(0);
    return reported.length;
  };
  shard.calledAt = load.now | 1;
  outstanding[0] = 2;
  expect([lookAfter(100), lookAfter(49), lookAfter(1)]).toEqual([0, 0, 1]);
  outstanding[0] = 1;
  expect(lookAfter(50)).toBe(1);
  outstanding[0] = 2;
  expect(lookAfter(50)).toBe(2);
});

test('a shard that was given a request counts as awake', () => {
  const { shard, load } = setUp();
  expect(load.isAwake(0)).toBe(false);
  shard.given = true;
  expect(load.isAwake(0)).toBe(true);
});

test('a shard is full when its permits or its queue are used up', () => {
  const { shard, load, outstanding } = setUp(100);
  const fullAt = () => {
    for (outstanding[0] = 0; !load.isFull(0); outstanding[0]++);
    return outstanding[0];
  };
  expect(fullAt()).toBe(100);
  shard.permits = 7;
  load.now += 50;
  expect(fullAt()).toBe(7);
});

test('the state of a shard is read once per 50 µs', () => {
  const { shard, load } = setUp();
  expect(load.isAwake(0)).toBe(false);
  shard.parked = false;
  load.now += 49;
  expect(load.isAwake(0)).toBe(false);
  load.now += 1;
  expect(load.isAwake(0)).toBe(true);
});

test('requests of other HTTP threads count, as of the last read', () => {
  const { shard, load, outstanding } = setUp(1_000, 5);
  outstanding[0] = 2;
  shard.others = 1;
  expect([load.outstanding(0), load.waitUs(0)]).toEqual([3, 72]);
  shard.others = 4;
  load.now += 49;
  expect([load.waitUs(0), load.outstanding(0)]).toEqual([72, 3]);
  load.now += 1;
  expect([load.waitUs(0), load.outstanding(0)]).toEqual([144, 6]);
});
