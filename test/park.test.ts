import { expect, test } from '@jest/globals';
import { DOORBELL_BELL_OFFSET } from '../build/assembly/layout.js';
import { Doorbell } from '../build/src/core/doorbell.js';
import { CoreMemory } from '../build/src/core/memory.js';
import { Parking } from '../build/src/core/parking.js';
import { ShardLoop } from '../build/src/shard/loop/loop.js';
import { createShard } from './support/shard-context.js';

test("a shard with park: 'sync' finds a message that arrived just before it parked, without a ring", async () => {
  const { context, close } = createShard();
  let parks = 0;
  const stopped = new Promise<void>((resolve) => {
    const loop: ShardLoop = new ShardLoop(context, { batch: 1, park: 'sync' }, undefined, () => {
      parks++;
      void loop.stop().then(resolve);
      return true;
    });
    loop.start();
  });
  const began = performance.now();
  await stopped;
  // Otherwise it would check again only after a second.
  expect(performance.now() - began).toBeLessThan(900);
  expect(parks).toBe(1);
  close();
});

test('a thread that stops parking leaves no wait behind, which would keep its memory', () => {
  const core = CoreMemory.create(1_024);
  const doorbell = Doorbell.create(core);
  let woken = 0;
  const parking = new Parking(
    doorbell,
    () => false,
    () => {
      woken++;
    },
  );
  expect(parking.park()).toBe(true);
  parking.unpark();
  parking.stop();
  expect(Atomics.notify(core.i32, (doorbell.address + DOORBELL_BELL_OFFSET) >> 2)).toBe(0);
  expect(woken).toBe(0);
});
