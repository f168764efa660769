import { expect, test } from '@jest/globals';
import { COUNTER_THREAD_TIME_OFFSET } from '../build/assembly/layout.js';
import type { CounterWriter } from '../build/src/contract/counters.js';
import { ThreadTime } from '../build/src/shard/loop/thread-time.js';

/** Returns the nanoseconds that a shard publishes. */
function setUp() {
  const published: number[] = [];
  const counters = {
    put: (offset: number, value: number) => offset === COUNTER_THREAD_TIME_OFFSET && published.push(value),
  } as unknown as CounterWriter;
  return { time: new ThreadTime(counters), published };
}

const last = (values: number[]) => values[values.length - 1];

function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

test('thread time is the mean time of starts', () => {
  const { time, published } = setUp();
  time.turned(10, 100, 0);
  expect(published).toEqual([10_000]);
  for (let i = 0; i < 100; i++) time.turned(4, 80, 0);
  expect(last(published)).toBeCloseTo(20_000, -1);
});

test('thread time limits the effect of an interrupted turn, and follows handlers that become heavy', () => {
  const { time, published } = setUp();
  time.turned(10, 30, 0);
  time.turned(1, 4_000, 0);
  expect(last(published)).toBeLessThan(5_000);
  for (let i = 0; i < 40; i++) time.turned(1, 20_000, 0);
  expect(last(published)).toBeGreaterThan(10_000_000);
});

test('thread time includes work after an `await`, but not the idle time of the event loop', async () => {
  const { time, published } = setUp();
  time.turned(2, 20, 2);
  spin(30);
  await new Promise((resolve) => setTimeout(resolve, 50));
  time.turned(0, 5, 1);
  time.turned(1, 10, 0);
  // An outlier compared to the first turn's 10 µs.
  expect(last(published)).toBe(Math.ceil((10 + (4 * 10 - 10) / 8) * 1_000));
  for (let i = 0; i < 60; i++) {
    time.turned(1, 10, 1);
    spin(2);
  }
  expect(last(published)).toBeGreaterThan(1_500_000);
  expect(last(published)).toBeLessThan(20_000_000);
});

test('thread time excludes work between turns while no handler is in flight', () => {
  const { time, published } = setUp();
  time.turned(1, 10, 0);
  for (let i = 0; i < 20; i++) {
    spin(1);
    time.turned(1, 10, 0);
  }
  expect(last(published)).toBe(10_000);
});
