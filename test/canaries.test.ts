import { MessageChannel } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import * as layout from '../build/assembly/layout.js';
import { createServerMemory, shardAddresses } from '../build/src/contract/memory-map.js';
import { TransferPort } from '../build/src/contract/transfers.js';
import { Clock } from '../build/src/core/clock.js';
import { createApp } from '../build/src/index.js';
import { Handlers } from '../build/src/shard/handlers.js';
import { Counters } from '../build/src/shard/loop/counters.js';
import { Times } from '../build/src/shard/loop/times.js';
import { RequestBodies } from '../build/src/shard/request/request-bodies.js';
import { AbortSignals } from '../build/src/shard/request/signals.js';
import { OutgoingStreams } from '../build/src/shard/streams/streams.js';

/* Handlers run against real shared memory in this thread, between slots that are full of canaries. */
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
    const { core, plan } = createServerMemory({ shards: 1, permits: 1, slots: 3, slotBytes: SLOT_BYTES });
    const { port1, port2 } = new MessageChannel();
    let completed = 0;
    const addresses = shardAddresses(plan, 0);
    const clock = new Clock();
    const context = {
      shard: 0,
      group: { first: 0, count: 1 },
      core,
      plan,
      addresses,
      clock,
      counters: new Counters(core, addresses.control),
      times: new Times(),
      app,
      control: port1,
      transfers: new TransferPort(port1),
      signals: new AbortSignals(),
      streams: new OutgoingStreams(port1),
      bodies: new RequestBodies(port1, new AbortSignals()),
      responseLimitBytes: 2 ** 20,
      compress: undefined,
      requestId: undefined,
      keepAliveLines: '',
    };
    const handlers = new Handlers(context, () => completed++);
    const route = app.table().routes.findIndex(({ pattern }) => pattern === path);
    const slot = plan.slotsAddress + plan.slotStride;
    const around = [plan.slotsAddress, slot + plan.slotStride];
    for (const address of around) core.u8.fill(CANARY, address, address + plan.slotStride);
    for (size = SLOT_BYTES - 500; size <= SLOT_BYTES + 300; size++) {
      core.i32.fill(0, slot >> 2, (slot + layout.SLOT_DATA_OFFSET) >> 2);
      core.i32[(slot + layout.SLOT_ROUTE_OFFSET) >> 2] = route;
      handlers.start(1, clock.nowUs());
    }
    expect(completed).toBe(801);
    for (const address of around) {
      expect(core.u8.slice(address, address + plan.slotStride).every((byte) => byte === CANARY)).toBe(true);
    }
    port1.close();
    port2.close();
  },
);
