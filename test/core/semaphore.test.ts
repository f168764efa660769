import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { CoreMemory, Semaphore } from 'loopshard/core';

test('takes all permits or none, and returns them', () => {
  const semaphore = Semaphore.create(CoreMemory.create(1_000), 3);
  expect([semaphore.tryAcquire(), semaphore.tryAcquire(2), semaphore.available]).toEqual([true, true, 0]);
  expect(semaphore.tryAcquire()).toBe(false);
  semaphore.release(2);
  expect([semaphore.tryAcquire(3), semaphore.available]).toEqual([false, 2]);
  semaphore.release();
  expect([semaphore.available, semaphore.limit]).toEqual([3, 3]);
});

test('applies a lowered limit as outstanding permits are returned', () => {
  const semaphore = Semaphore.create(CoreMemory.create(1_000), 4);
  semaphore.tryAcquire(4);
  semaphore.setLimit(2);
  semaphore.release(2);
  expect([semaphore.available, semaphore.tryAcquire()]).toEqual([0, false]);
  semaphore.release();
  expect([semaphore.available, semaphore.tryAcquire()]).toEqual([1, true]);
  semaphore.setLimit(5);
  expect([semaphore.available, semaphore.limit]).toEqual([3, 5]);
});

test('acquireAsync waits for a release, and times out', async () => {
  const semaphore = Semaphore.create(CoreMemory.create(1_000), 1);
  semaphore.tryAcquire();
  expect(await semaphore.acquireAsync(1, 5)).toBe(false);
  // A pending waitAsync does not keep the event loop alive.
  const alive = setInterval(() => {}, 1_000);
  const waiting = Promise.all([semaphore.acquireAsync(), semaphore.acquireAsync()]);
  semaphore.release();
  setImmediate(() => semaphore.release());
  expect(await waiting).toEqual([true, true]);
  clearInterval(alive);
  expect(semaphore.available).toBe(0);
  expect(semaphore.acquire(1, 5)).toBe(false);
});

test('never grants more permits than exist to competing threads', async () => {
  const core = CoreMemory.create(10_000);
  const semaphore = Semaphore.create(core, 3);
  const held = core.allocate(4);
  const workerData = { shared: core.share(), semaphore: semaphore.address, held, rounds: 20_000 };
  const url = new URL('../fixtures/permit-worker.js', import.meta.url);
  const workers = [1, 2, 3, 4, 5].map(() => new Worker(url, { workerData }));
  const highest = await Promise.all(
    workers.map(
      (worker) =>
        new Promise<number>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  expect(Math.max(...highest)).toBeLessThanOrEqual(3);
  expect(Math.max(...highest)).toBeGreaterThan(0);
  expect(semaphore.available).toBe(3);
  await Promise.all(workers.map((worker) => worker.terminate()));
}, 60_000);

test.each([0, -1, 1.5, 2 ** 31])('rejects %s permits', (permits) => {
  const core = CoreMemory.create(1_000);
  expect(() => Semaphore.create(core, permits)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  expect(() => Semaphore.create(core, 1).release(permits)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
});
