import { MessageChannel } from 'node:worker_threads';
import { definitionOf } from '../../build/src/app/definition.js';
import { CounterWriter } from '../../build/src/contract/counters.js';
import { HttpGenerations } from '../../build/src/contract/http-generations.js';
import { createServerMemory, type MemoryMap, shardAddresses } from '../../build/src/contract/memory-map.js';
import { ShardSide } from '../../build/src/contract/shard-side.js';
import { Times } from '../../build/src/contract/times.js';
import { Clock } from '../../build/src/core/clock.js';
import { type App, createApp } from '../../build/src/index.js';
import type { ShardContext } from '../../build/src/shard/context.js';
import { HttpChannels } from '../../build/src/shard/http-channels.js';

/** The state of shard 0 of a server, on real shared memory, in this thread. */
export interface ShardInThread {
  context: ShardContext;
  map: MemoryMap;
  /** Closes the channel. */
  close(): void;
}

export interface ShardInThreadOptions {
  shards?: number;
  permits?: number;
  slots?: number;
  /** Whether the shard may steal from the others. Default true. */
  steal?: boolean;
  app?: App;
}

export function createShard(options: ShardInThreadOptions = {}): ShardInThread {
  const { shards = 1, permits = 1, slots = 4, steal = true, app = createApp() } = options;
  const { core, map } = createServerMemory({ shards, permits, slots, slotBytes: 2_048, extentBytes: 2 ** 21 });
  const { port1, port2 } = new MessageChannel();
  const addresses = shardAddresses(map, 0);
  const others = Array.from({ length: shards - 1 }, (_, i) => i + 1);
  const http = new HttpChannels(map, new HttpGenerations(core, map), [{ port: port1, generation: 0 }]);
  const context: ShardContext = {
    shard: 0,
    group: 'default',
    core,
    map,
    side: new ShardSide(core, map, 0, steal ? others : []),
    addresses,
    app: definitionOf(app)!,
    clock: new Clock(),
    counters: new CounterWriter(core, addresses.counters),
    times: new Times(),
    channel: port1,
    http,
    maxResponseBytes: 2 ** 20,
    compress: undefined,
    requestId: undefined,
    trusted: undefined,
    isTimed: undefined,
    keepAliveLines: '',
    maxAbandoned: 0,
    maxStreams: 8,
  };
  const close = () => {
    port1.close();
    port2.close();
  };
  return { context, map, close };
}
