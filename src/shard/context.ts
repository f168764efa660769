import type { MessagePort } from 'node:worker_threads';
import type { AppDefinition } from '../app/definition.js';
import type { CounterWriter } from '../contract/counters.js';
import type { MemoryMap, shardAddresses } from '../contract/memory-map.js';
import type { ShardSide } from '../contract/shard-side.js';
import type { Times } from '../contract/times.js';
import type { Clock } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import type { CompressRules } from '../options/compression.js';
import type { TrustedProxies } from '../options/trust-proxy.js';
import type { HttpChannels } from './http-channels.js';

/** What everything on one shard shares. */
export interface ShardContext {
  readonly shard: number;
  /** Name of its group. */
  readonly group: string;
  readonly core: CoreMemory;
  readonly map: MemoryMap;
  /** Whose slots and extents are whose. */
  readonly side: ShardSide;
  readonly addresses: ReturnType<typeof shardAddresses>;
  readonly app: AppDefinition;
  readonly clock: Clock;
  readonly counters: CounterWriter;
  readonly times: Times;
  /** The channel to the control thread. */
  readonly channel: MessagePort;
  /** The channels to the HTTP threads. */
  readonly http: HttpChannels;
  readonly maxResponseBytes: number;
  readonly compress: CompressRules | undefined;
  /** Name of the field that names requests, in lower case. */
  readonly requestId: string | undefined;
  /** Which proxies are believed what they say of clients. */
  readonly trusted: TrustedProxies | undefined;
  /** Lines of each response head that say how long the connection may be idle. */
  readonly keepAliveLines: string;
  /** Handlers that may run on after their requests were answered with 504 before the shard says so; 0 for any number. */
  readonly maxAbandoned: number;
  /** Responses that may be streamed at a time. */
  readonly maxStreams: number;
}
