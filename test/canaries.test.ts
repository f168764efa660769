import { expect, test } from '@jest/globals';
import * as layout from '../build/assembly/layout.js';
import { definitionOf } from '../build/src/app/definition.js';
import { slotAddress } from '../build/src/contract/memory-map.js';
import { createApp } from '../build/src/index.js';
import { Handlers } from '../build/src/shard/handlers.js';
import { Blocking } from '../build/src/shard/loop/blocking.js';
import { ThreadTime } from '../build/src/shard/loop/thread-time.js';
import { createShard } from './support/shard-context.js';

/* Runs handlers against real shared memory in this thread, between slots filled with canaries. */
const CANARY = 0xa5;
const SLOT_BYTES = 2_048;
const rows = { type: 'array', items: { type: 'string' } };
let size = 0;

const app = createApp()
  .get('/bytes', () => Buffer.alloc(size, 'x'))
  .get('/text', () => 'ü'.repeat(size / 2))
  .get('/json', () => ['y'.repeat(size)])
  .get('/schema', { response: rows }, () => ['"'.repeat(size / 2)])
  .get('/writer', (_req, res) => {
    const writer = res.writer().beginArray();
    for (let i = 0; i < size / 8; i++) writer.number(0.123_4 + i);
    writer.endArray();
  });

test.each(['/bytes', '/text', '/json', '/schema', '/writer'])(
  '%s writes nothing outside of its slot, at any size',
  (path) => {
    const { context, map, close } = createShard({ slots: 3, app });
    const { core, side, clock } = context;
    let completed = 0;
    const blocking = new Blocking(context, () => ({ next: 0, end: 0 }));
    const handlers = new Handlers(context, new ThreadTime(context.counters), blocking, {
      onComplete: () => completed++,
      onPermit: () => {},
      onDetachedEnded: () => {},
    });
    const route = definitionOf(app)!
      .table()
      .routes.findIndex(({ pattern }) => pattern === path);
    const slot = slotAddress(map, 1);
    const around = [slotAddress(map, 0), slot + map.slotStride];
    for (const address of around) core.u8.fill(CANARY, address, address + map.slotStride);
    // A response that outgrows its slot goes into the first extent, and must not write to the second one.
    const [first, second] = [side.extents.take(1), side.extents.take(1)];
    const start = side.extents.start(second);
    core.u8.fill(CANARY, start, start + side.extents.bytes(second));
    side.extents.give(first);
    let outgrown = 0;
    for (size = SLOT_BYTES - 500; size <= SLOT_BYTES + 300; size++) {
      core.i32.fill(0, slot >> 2, (slot + layout.SLOT_DATA_OFFSET) >> 2);
      core.i32[(slot + layout.SLOT_OWNER_OFFSET) >> 2] = layout.SLOT_CLAIMED_STATE;
      core.i32[(slot + layout.SLOT_ROUTE_OFFSET) >> 2] = route;
      core.i32[(slot + layout.SLOT_RECORD_OFFSET) >> 2] = slot + layout.SLOT_DATA_OFFSET;
      handlers.start(1, clock.nowUs(), clock.nowUs());
      const { responseExtent } = side.view(1);
      if (responseExtent === layout.NO_EXTENT) continue;
      expect(responseExtent).toBe(first);
      side.extents.give(responseExtent);
      outgrown++;
    }
    expect(completed).toBe(801);
    expect(outgrown).toBeGreaterThan(200);
    for (const address of around) {
      expect(core.u8.slice(address, address + map.slotStride).every((byte) => byte === CANARY)).toBe(true);
    }
    expect(core.u8.slice(start, start + side.extents.bytes(second)).every((byte) => byte === CANARY)).toBe(true);
    close();
  },
);
