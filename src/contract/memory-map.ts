import {
  HEADER_BYTES,
  LINE_BYTES,
  RING_CAPACITY_OFFSET,
  SEMAPHORE_BYTES,
  SHARD_COUNT_OFFSET,
  SHARD_PERMITS_OFFSET,
  SHARD_RINGS_OFFSET,
  SHARD_STRIDE_OFFSET,
  SHARDS_ADDRESS_OFFSET,
  SLOT_BOUND_STATE,
  SLOT_COUNT_OFFSET,
  SLOT_DATA_OFFSET,
  SLOT_OWNER_SHIFT,
  SLOT_STRIDE_OFFSET,
  SLOT_SUBMITTED_STATE,
  SLOTS_ADDRESS_OFFSET,
} from '../../assembly/layout.js';
import { CoreMemory } from '../core/memory.js';
import { ringBytes, ringCapacity } from '../core/ring.js';

/** Where a server's parts lie in the shared memory. Written into the header once; every thread reads the same. */
export interface Plan {
  shards: number;
  shardsAddress: number;
  shardStride: number;
  /** Entries of each ring: at least one for every slot. */
  ringCapacity: number;
  slots: number;
  slotsAddress: number;
  slotStride: number;
}

/** Semaphores of routes with a limit of their own: one each. */
export const MAX_LIMITED_ROUTES = 256;

/** Room for what a shard allocates while it runs: scratch and constants of compiled writers. Untouched pages cost nothing. */
const ARENA_BYTES = 1 << 20;

/**
 * Makes and plans a server's shared memory. HTTP thread.
 * @throws LoopShardError MEMORY_EXHAUSTED
 */
export function createServerMemory(options: { shards: number; permits: number; slots: number; slotBytes: number }) {
  const { shards, permits, slots, slotBytes } = options;
  const capacity = ringCapacity(slots);
  // Whole lines and never a power of two, so that neighbouring slots do not fall into the same cache sets.
  const slotStride = SLOT_DATA_OFFSET + Math.ceil(slotBytes / LINE_BYTES) * LINE_BYTES;
  const shardStride = SHARD_RINGS_OFFSET + 3 * alignedRingBytes(capacity) + ARENA_BYTES;
  const core = CoreMemory.create(shards * shardStride + slots * slotStride + MAX_LIMITED_ROUTES * SEMAPHORE_BYTES);
  const shardsAddress = core.allocate(shards * shardStride);
  const slotsAddress = core.allocate(slots * slotStride);
  core.i32[SHARD_COUNT_OFFSET >> 2] = shards;
  core.i32[SHARDS_ADDRESS_OFFSET >> 2] = shardsAddress;
  core.i32[SHARD_STRIDE_OFFSET >> 2] = shardStride;
  core.i32[RING_CAPACITY_OFFSET >> 2] = capacity;
  core.i32[SLOT_COUNT_OFFSET >> 2] = slots;
  core.i32[SLOTS_ADDRESS_OFFSET >> 2] = slotsAddress;
  core.i32[SLOT_STRIDE_OFFSET >> 2] = slotStride;
  const plan = readPlan(core.buffer);
  for (let shard = 0; shard < shards; shard++) {
    const addresses = shardAddresses(plan, shard);
    core.wasm.ringInitialize(addresses.submissions, capacity);
    core.wasm.ringInitialize(addresses.bound, capacity);
    core.wasm.ringInitialize(addresses.completions, capacity);
    core.wasm.semaphoreInitialize(addresses.control + SHARD_PERMITS_OFFSET, permits);
  }
  return { core, plan };
}

export function readPlan(buffer: SharedArrayBuffer): Plan {
  const header = new Int32Array(buffer, 0, HEADER_BYTES >> 2);
  return {
    shards: header[SHARD_COUNT_OFFSET >> 2],
    shardsAddress: header[SHARDS_ADDRESS_OFFSET >> 2],
    shardStride: header[SHARD_STRIDE_OFFSET >> 2],
    ringCapacity: header[RING_CAPACITY_OFFSET >> 2],
    slots: header[SLOT_COUNT_OFFSET >> 2],
    slotsAddress: header[SLOTS_ADDRESS_OFFSET >> 2],
    slotStride: header[SLOT_STRIDE_OFFSET >> 2],
  };
}

/** Address of the first byte of a slot: of its owner word. */
export function slotAddress(plan: Plan, slot: number): number {
  return plan.slotsAddress + slot * plan.slotStride;
}

/** Rings start on lines of their own. */
function alignedRingBytes(capacity: number): number {
  return Math.ceil(ringBytes(capacity) / LINE_BYTES) * LINE_BYTES;
}

/** The owner word of a slot in the submission ring of `shard`. */
export function submittedTo(shard: number): number {
  return SLOT_SUBMITTED_STATE | (shard << SLOT_OWNER_SHIFT);
}

/** The owner word of a slot in the ring of `shard` that no other shard claims from. */
export function boundTo(shard: number): number {
  return SLOT_BOUND_STATE | (shard << SLOT_OWNER_SHIFT);
}

/** Where the parts of a shard lie. The arena is the shard's own; a thread that replaces another one starts it anew. */
export function shardAddresses(plan: Plan, shard: number) {
  const control = plan.shardsAddress + shard * plan.shardStride;
  const submissions = control + SHARD_RINGS_OFFSET;
  const bound = submissions + alignedRingBytes(plan.ringCapacity);
  const completions = bound + alignedRingBytes(plan.ringCapacity);
  const end = control + plan.shardStride;
  return { control, submissions, bound, completions, arena: { start: end - ARENA_BYTES, end } };
}
