import { expect, test } from '@jest/globals';
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
