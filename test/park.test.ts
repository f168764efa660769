import { MessageChannel } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { createServerMemory, shardAddresses } from '../build/src/contract/memory-map.js';
import { TransferPort } from '../build/src/contract/transfers.js';
import { Clock } from '../build/src/core/clock.js';
import { createApp } from '../build/src/index.js';
import { Counters } from '../build/src/shard/loop/counters.js';
import { ShardLoop } from '../build/src/shard/loop/loop.js';
import { Times } from '../build/src/shard/loop/times.js';
import { RequestBodies } from '../build/src/shard/request/request-bodies.js';
import { AbortSignals } from '../build/src/shard/request/signals.js';
import { OutgoingStreams } from '../build/src/shard/streams/streams.js';

test("a shard with park: 'sync' hears a message that came just before it parks, for which nobody rings", async () => {
  const { core, plan } = createServerMemory({ shards: 1, permits: 1, slots: 2, slotBytes: 2_048 });
  const { port1, port2 } = new MessageChannel();
  const addresses = shardAddresses(plan, 0);
  const signals = new AbortSignals();
  const context = {
    shard: 0,
    group: { first: 0, count: 1 },
    core,
    plan,
    addresses,
    app: createApp(),
    clock: new Clock(),
    counters: new Counters(core, addresses.control),
    times: new Times(),
    control: port1,
    transfers: new TransferPort(port1),
    signals,
    streams: new OutgoingStreams(port1),
    bodies: new RequestBodies(port1, signals),
    responseLimitBytes: 1,
    compress: undefined,
    requestId: undefined,
  };
  let parks = 0;
  const stopped = new Promise<void>((resolve) => {
    const loop: ShardLoop = new ShardLoop(context, { batch: 1, park: 'sync', steal: false }, undefined, () => {
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
  port1.close();
  port2.close();
});
