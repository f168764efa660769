import { expect, test } from '@jest/globals';
import * as layout from '../../build/assembly/layout.js';
import { ActivityReader } from '../../build/src/contract/activity.js';
import { FreeSlots } from '../../build/src/contract/free-slots.js';
import { HttpSide } from '../../build/src/contract/http-side.js';
import { createServerMemory } from '../../build/src/contract/memory-map.js';
import { ShardSide } from '../../build/src/contract/shard-side.js';
import { createRandom } from '../support/random.js';

/* What requests are doing, as their slots say. */

/** The time, in microseconds. */
const NOW = 5_000_000;

/** Requests in shared memory, without threads. */
function setUp({ shards = 2, slots = 64 } = {}) {
  const { core, map } = createServerMemory({ shards, permits: slots, slots, slotBytes: 2_048, extentBytes: 2 ** 21 });
  const http = new HttpSide(core, map);
  const free = new FreeSlots(core, map);
  const sides = Array.from({ length: shards }, (_, shard) => new ShardSide(core, map, shard, []));
  const submit = (shard: number, route: number, submittedAt: number, bound = false) => {
    const slot = free.take();
    http.clearStart(slot);
    core.i32[(map.slotsAddress + slot * map.slotStride + layout.SLOT_ROUTE_OFFSET) >> 2] = route;
    core.i32[(map.slotsAddress + slot * map.slotStride + layout.SLOT_SUBMITTED_AT_OFFSET) >> 2] = submittedAt;
    http.figures.outstanding[shard]++;
    http.submit(slot, shard, bound);
    return slot;
  };
  return { reader: new ActivityReader(core, map), sides, submit };
}

test('requests are in flight once their handlers are called, and wait before that', () => {
  const { reader, sides, submit } = setUp();
  const [called, claimed] = [submit(0, 3, NOW - 9_000), submit(0, 4, NOW - 8_000)];
  expect(sides[0].claim(2, 2)).toBe(2);
  sides[0].tryStart(called);
  sides[0].calling(called, NOW - 2_001);
  submit(0, 4, NOW - 7_000);
  submit(0, 5, NOW - 6_000, true);
  submit(1, -1, NOW - 1_000);
  const [first, second] = reader.read(NOW);
  expect(first).toEqual({
    inFlight: { count: 1, routes: [{ route: 3, count: 1, us: 2_001 }] },
    waiting: {
      count: 3,
      routes: [
        { route: 4, count: 2, us: 8_000 },
        { route: 5, count: 1, us: 6_000 },
      ],
    },
  });
  expect(second).toEqual({
    inFlight: { count: 0, routes: [] },
    waiting: { count: 1, routes: [{ route: -1, count: 1, us: 1_000 }] },
  });
  expect(claimed).toBe(1);
});

test('a list has 8 routes at most, those with the oldest requests, and counts all', () => {
  const { reader, submit } = setUp();
  const random = createRandom();
  const routes = Array.from({ length: 40 }, () => Math.floor(random() * 20));
  for (const [index, route] of routes.entries()) submit(0, route, NOW - 1_000 - index);
  const { waiting } = reader.read(NOW)[0];
  const oldest = new Map<number, number>();
  for (const [index, route] of routes.entries()) oldest.set(route, 1_000 + index);
  const expected = [...oldest].sort((a, b) => b[1] - a[1]).slice(0, 8);
  expect(waiting.count).toBe(40);
  expect(waiting.routes.map(({ route, us }) => [route, us])).toEqual(expected);
});
