import type { MessagePort } from 'node:worker_threads';
import type { App } from '../app/app.js';
import type { Plan, shardAddresses } from '../contract/memory-map.js';
import type { TransferPort } from '../contract/transfers.js';
import type { Clock } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import type { CompressRules } from '../options/compression.js';
import type { Counters } from './loop/counters.js';
import type { Times } from './loop/times.js';
import type { RequestBodies } from './request/request-bodies.js';
import type { AbortSignals } from './request/signals.js';
import type { OutgoingStreams } from './streams/streams.js';

/** What everything on one shard shares. */
export interface ShardContext {
  readonly shard: number;
  /** The shards of its group. */
  readonly group: { first: number; count: number };
  readonly core: CoreMemory;
  readonly plan: Plan;
  readonly addresses: ReturnType<typeof shardAddresses>;
  readonly app: App;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly times: Times;
  readonly control: MessagePort;
  readonly transfers: TransferPort;
  readonly streams: OutgoingStreams;
  readonly bodies: RequestBodies;
  readonly signals: AbortSignals;
  readonly responseLimitBytes: number;
  readonly compress: CompressRules | undefined;
  /** Name of the field that names requests, in lower case. */
  readonly requestId: string | undefined;
  /** Lines of each response head that say how long the connection may be idle. */
  readonly keepAliveLines: string;
}
