import type { MessagePort } from 'node:worker_threads';
import type { App } from '../app.js';
import type { CoreMemory } from '../core/memory.js';
import type { Plan, shardAddresses } from '../pool/plan.js';
import type { TransferPort } from '../transfers.js';
import type { AbortSignals } from './signals.js';

/** What everything on one shard shares. */
export interface ShardContext {
  readonly shard: number;
  readonly core: CoreMemory;
  readonly plan: Plan;
  readonly addresses: ReturnType<typeof shardAddresses>;
  readonly app: App;
  readonly control: MessagePort;
  readonly transfers: TransferPort;
  readonly signals: AbortSignals;
  readonly responseLimitBytes: number;
}
