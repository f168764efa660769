import { OWNER_SHIFT, SLOT_OWNER_OFFSET, SLOT_STARTED_AT_OFFSET, SLOT_STARTED_STATE } from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { type MemoryMap, slotAddress } from './memory-map.js';
import { SlotView } from './slot-view.js';

/**
 * Finds the route of the handler that is running on the thread of a shard, by the time at which it was called. Reads each slot, so it is for
 * rare events, and the words may change meanwhile, so it is for logs. Control thread.
 * @param calledAt from `ShardWords.calledAt`
 * @returns the number of the route; undefined if no such handler is found
 */
export function runningRoute(core: CoreMemory, map: MemoryMap, shard: number, calledAt: number): number | undefined {
  if (calledAt === 0) return undefined;
  const started = SLOT_STARTED_STATE | (shard << OWNER_SHIFT);
  for (let slot = 0; slot < map.slots; slot++) {
    const word = slotAddress(map, slot) >> 2;
    const owner = Atomics.load(core.i32, word + (SLOT_OWNER_OFFSET >> 2));
    const isRunning = core.i32[word + (SLOT_STARTED_AT_OFFSET >> 2)] >>> 0 === calledAt;
    if (owner === started && isRunning) return new SlotView(core, map, slot).route;
  }
  return undefined;
}
