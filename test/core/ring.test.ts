import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { CoreMemory, Doorbell, Ring } from 'loopshard/core';
import { createRandom } from '../support/random.js';

const worker = (name: string, workerData: object) =>
  new Worker(new URL(`../fixtures/${name}`, import.meta.url), { workerData });

const message = <T>(from: Worker): Promise<T> =>
  new Promise((resolve, reject) => {
    from.once('message', resolve);
    from.once('error', reject);
  });

test('returns values in order, up to its capacity', () => {
  const core = CoreMemory.create(100_000);
  const ring = Ring.create(core, 100);
  expect(ring.capacity).toBe(128);
  for (let i = 0; i < 128; i++) expect(ring.publish(i)).toBe(true);
  expect(ring.publish(128)).toBe(false);
  expect(ring.length).toBe(128);
  const into = new Int32Array(100);
  expect(ring.poll(into)).toBe(100);
  expect([...into]).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(ring.publishBatch(Int32Array.from({ length: 200 }, (_, i) => 128 + i))).toBe(100);
  expect(ring.claim(into)).toBe(100);
  expect([into[0], into[99]]).toEqual([100, 199]);
  expect(ring.claim(into)).toBe(28);
  expect(ring.poll(into)).toBe(0);
});

// Short batches are copied in a loop, long ones as a whole.
test.each([16, 256])(
  'a ring of %s agrees with an array under random operations, even when positions wrap around',
  (capacity) => {
    const random = createRandom();
    const core = CoreMemory.create(100_000);
    const ring = Ring.create(core, capacity);
    const behind = core.allocate(4) >> 2;
    // Positions are free-running 32-bit counters: start shortly before they turn negative.
    const start = 2 ** 31 - 1_000;
    core.i32[ring.address >> 2] = start;
    core.i32[(ring.address + 128) >> 2] = start;
    const model: number[] = [];
    let next = 0;
    for (let step = 0; step < 20_000; step++) {
      const size = 1 + Math.floor(random() * capacity * 1.25);
      if (random() < 0.5) {
        const values = Int32Array.from({ length: size }, () => next++);
        const taken = ring.publishBatch(values);
        expect(taken).toBe(Math.min(size, capacity - model.length));
        model.push(...values.subarray(0, taken));
      } else {
        const into = new Int32Array(size);
        const count = random() < 0.5 ? ring.poll(into) : ring.claim(into);
        expect([...into.subarray(0, count)]).toEqual(model.splice(0, size));
      }
      expect(ring.length).toBe(model.length);
    }
    expect(core.i32[behind]).toBe(0);
  },
);

test.each([0, 1, 2.5, 2 ** 21, Number.NaN])('rejects a capacity of %s', (capacity) => {
  expect(() => Ring.create(CoreMemory.create(1_000), capacity)).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  );
});

test('a million values return in order through two rings and a thread that parks', async () => {
  const core = CoreMemory.create(1_000_000);
  const there = Ring.create(core, 1_024);
  const back = Ring.create(core, 1_024);
  const [bell, ours] = [Doorbell.create(core), Doorbell.create(core)];
  const total = 1_000_000;
  const echo = worker('echo-worker.js', {
    shared: core.share(),
    there: there.address,
    back: back.address,
    bell: bell.address,
    ours: ours.address,
    total,
  });
  const done = message<{ parked: number }>(echo);
  const batch = new Int32Array(256);
  const into = new Int32Array(256);
  let sent = 0;
  let received = 0;
  while (received < total) {
    const count = Math.min(batch.length, total - sent);
    for (let i = 0; i < count; i++) batch[i] = sent + i;
    sent += there.publishBatch(batch.subarray(0, count));
    bell.ring();
    const got = back.poll(into);
    for (let i = 0; i < got; i++)
      if (into[i] !== received + i) throw new Error(`got ${into[i]} instead of ${received + i}`);
    received += got;
    if (got === 0) {
      const value = ours.park();
      // A bounded wait: a timeout would be a lost wake-up.
      if (back.length === 0 && !ours.wait(value, 5_000)) throw new Error('a wake-up was lost');
      ours.unpark();
    }
  }
  expect((await done).parked).toBeGreaterThanOrEqual(0);
  await echo.terminate();
});

test('delivers each value to exactly one of several claimers', async () => {
  const core = CoreMemory.create(1_000_000);
  const ring = Ring.create(core, 512);
  const total = 300_000;
  const done = core.allocate(4);
  const workerData = { shared: core.share(), ring: ring.address, done };
  const claimers = [1, 2, 3].map(() => worker('claim-worker.js', workerData));
  const results = Promise.all(
    claimers.map((claimer) => message<{ count: number; sum: number; ordered: boolean }>(claimer)),
  );
  for (let i = 1; i <= total; ) if (ring.publish(i)) i++;
  Atomics.store(core.i32, done >> 2, 1);
  const all = await results;
  expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(total);
  expect(all.reduce((sum, result) => sum + result.sum, 0)).toBe((total * (total + 1)) / 2);
  expect(all.every(({ ordered }) => ordered)).toBe(true);
  await Promise.all(claimers.map((claimer) => claimer.terminate()));
});
