import type { MessagePort } from 'node:worker_threads';
import { SLOT_DATA_OFFSET, SLOT_OWNER_OFFSET } from '../../assembly/layout.js';
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

/** Address of the first byte of a slot. */
export function slotAddress(plan: Plan, slot: number): number {
  return plan.slotsAddress + slot * plan.slotStride + SLOT_OWNER_OFFSET;
}

/** Address behind the last byte of a slot. */
export function slotEnd(plan: Plan, address: number): number {
  return address + plan.slotStride;
}

/** Address of a slot's data. */
export function slotData(address: number): number {
  return address + SLOT_DATA_OFFSET;
}
