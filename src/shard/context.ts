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

/** Objects and settings shared by all parts of a shard. */
export interface ShardContext {
  readonly shard: number;
  /** Name of its group. */
  readonly group: string;
  readonly core: CoreMemory;
  readonly map: MemoryMap;
  /** The shard's view of slots and extents. */
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
  /** Name of the request ID header, in lower case. */
  readonly requestId: string | undefined;
  /** Proxies whose forwarding headers are trusted. */
  readonly trusted: TrustedProxies | undefined;
  /** Whether a client with this address gets the `server-timing` header; undefined if none does. */
  readonly isTimed: ((address: string | undefined) => boolean) | undefined;
  /** Lines of each response head that announce the keep-alive timeout. */
  readonly keepAliveLines: string;
  /** Handlers that may still run after their requests got 504 before the shard reports it; 0 means no limit. */
  readonly maxAbandoned: number;
  /** Limit of responses that are streamed at a time. */
  readonly maxStreams: number;
}
