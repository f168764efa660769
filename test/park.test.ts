import { expect, test } from '@jest/globals';
import { ShardLoop } from '../build/src/shard/loop/loop.js';
import { createShard } from './support/shard-context.js';

test("a shard with park: 'sync' hears a message that came just before it parks, for which nobody rings", async () => {
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
  // It would look again after a second.
  expect(performance.now() - began).toBeLessThan(900);
  expect(parks).toBe(1);
  close();
});
