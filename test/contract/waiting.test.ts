import { expect, test } from '@jest/globals';
import * as layout from '../../build/assembly/layout.js';
import { FreeSlots } from '../../build/src/contract/free-slots.js';
import { HttpSide } from '../../build/src/contract/http-side.js';
import { createServerMemory } from '../../build/src/contract/memory-map.js';
import { ShardSide } from '../../build/src/contract/shard-side.js';
import { createRandom } from '../support/random.js';

/* How long queued and claimed requests have waited for a shard. */

test('waiting times are added up exactly for 256 requests, and closely for more', () => {
  const slots = 1_024;
  const random = createRandom();
  const { core, map } = createServerMemory({ shards: 1, permits: 8, slots, slotBytes: 2_048, extentBytes: 2 ** 21 });
  const http = new HttpSide(core, map);
  const free = new FreeSlots(core, map);
  const side = new ShardSide(core, map, 0, []);
  // The words of times wrap within the stretch.
  const [from, to] = [2 ** 32 - 30_000, 2 ** 32 + 20_000];
  let submittedAt = from - 10_000;
  let expected = 0;
  for (let count = 1; count <= slots; count++) {
    submittedAt += Math.floor(random() * 100);
    const slot = free.take();
    core.i32[(map.slotsAddress + slot * map.slotStride + layout.SLOT_SUBMITTED_AT_OFFSET) >> 2] = submittedAt;
    http.submit(slot, 0, count % 2 === 0);
    expected += Math.max(0, Math.min(to - from, to - submittedAt));
    if (count <= 256) expect(side.waitedUs(from, to, 0, 0)).toBe(expected);
  }
  expect(side.waitedUs(from, to, 0, 0) / expected).toBeCloseTo(1, 1);
  // Those that are claimed wait as well, until they are started.
  const claimed = side.claim(8, 8);
  expect(claimed).toBe(8);
  const before = side.waitedUs(from, to, 0, claimed);
  side.tryStart(side.claimed(0));
  expect(before - side.waitedUs(from, to, 0, claimed)).toBe(to - from);
});
