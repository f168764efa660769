import { expect, test } from '@jest/globals';
import * as layout from '../../build/assembly/layout.js';
import { boundTo, createServerMemory, shardAddresses, submittedTo } from '../../build/src/contract/memory-map.js';
import { SlotStack } from '../../build/src/contract/slots.js';

/* Ownership, step by step: what a claim, a completion and a full ring leave behind. */
function setUp(options = { shards: 2, permits: 3, slots: 8, slotBytes: 2_048 }) {
  const { core, plan } = createServerMemory(options);
  const { wasm } = core;
  const { slotsAddress, slotStride } = plan;
  const batch = core.allocate(64);
  const owner = (slot: number) => core.i32[(slotsAddress + slot * slotStride) >> 2];
  const addresses = [0, 1].map((shard) => shardAddresses(plan, shard));
  return {
    core,
    plan,
    owner,
    slots: new SlotStack(core, plan),
    available: (shard: number) => wasm.semaphoreAvailable(addresses[shard].control + layout.SHARD_PERMITS_OFFSET),
    submit: (ring: number, slot: number) =>
      wasm.slotSubmit(addresses[ring].submissions, submittedTo(ring), slotsAddress, slotStride, slot),
    oldest: (ring: number) => wasm.slotOldest(addresses[ring].submissions, submittedTo(ring), slotsAddress, slotStride),
    length: (ring: number) => wasm.ringLength(addresses[ring].submissions),
    claim: (ring: number, shard: number, most: number, sharers = 1) => {
      const count = wasm.slotClaimPermitted(
        addresses[shard].control + layout.SHARD_PERMITS_OFFSET,
        addresses[ring].submissions,
        submittedTo(ring),
        slotsAddress,
        slotStride,
        shard,
        batch,
        most,
        sharers,
      );
      return [...core.i32.subarray(batch >> 2, (batch >> 2) + count)];
    },
    complete: (shard: number, slot: number) =>
      wasm.slotComplete(addresses[shard].completions, slotsAddress, slotStride, shard, slot),
    poll: (shard: number) => {
      const count = wasm.ringPoll(addresses[shard].completions, batch, 16);
      return [...core.i32.subarray(batch >> 2, (batch >> 2) + count)];
    },
  };
}

const claimedBy = (shard: number) => layout.SLOT_CLAIMED_STATE | (shard << layout.SLOT_OWNER_SHIFT);
const completedBy = (shard: number) => layout.SLOT_COMPLETED_STATE | (shard << layout.SLOT_OWNER_SHIFT);

test('a slot passes from the HTTP thread to a shard and back', () => {
  const { slots, owner, submit, claim, complete, poll } = setUp();
  const slot = slots.take();
  expect(owner(slot)).toBe(layout.SLOT_HTTP_STATE);
  expect(submit(0, slot)).toBe(1);
  expect(owner(slot)).toBe(submittedTo(0));
  expect(claim(0, 0, 10)).toEqual([slot]);
  expect(owner(slot)).toBe(claimedBy(0));
  complete(0, slot);
  expect(owner(slot)).toBe(completedBy(0));
  expect(poll(0)).toEqual([slot]);
  slots.release(slot);
  expect([owner(slot), slots.free]).toEqual([layout.SLOT_FREE_STATE, 8]);
});

test('claims stop at the permits; the rest stays in the ring', () => {
  const { slots, submit, claim, available } = setUp();
  const taken = Array.from({ length: 5 }, () => slots.take());
  for (const slot of taken) submit(0, slot);
  expect(claim(0, 0, 10)).toEqual(taken.slice(0, 3));
  expect([available(0), claim(0, 0, 10)]).toEqual([0, []]);
});

test('another shard claims by the same step, and nobody claims twice', () => {
  const { slots, owner, submit, claim, available } = setUp();
  const taken = Array.from({ length: 4 }, () => slots.take());
  for (const slot of taken) submit(0, slot);
  expect(claim(0, 1, 2)).toEqual(taken.slice(0, 2));
  expect(claim(0, 0, 10)).toEqual(taken.slice(2));
  expect(taken.map(owner)).toEqual([claimedBy(1), claimedBy(1), claimedBy(0), claimedBy(0)]);
  expect([available(0), available(1)]).toEqual([1, 1]);
});

test('an entry whose slot was taken back is skipped, and its permit returned', () => {
  const { core, plan, slots, submit, claim, available } = setUp();
  const [first, second] = [slots.take(), slots.take()];
  submit(0, first);
  submit(0, second);
  core.i32[(plan.slotsAddress + first * plan.slotStride) >> 2] = layout.SLOT_HTTP_STATE;
  expect(claim(0, 0, 10)).toEqual([second]);
  expect(available(0)).toBe(2);
});

test('an entry whose slot was taken back and submitted to another ring leads to no claim', () => {
  const { core, plan, slots, owner, submit, claim } = setUp();
  const slot = slots.take();
  submit(0, slot);
  core.i32[(plan.slotsAddress + slot * plan.slotStride) >> 2] = layout.SLOT_HTTP_STATE;
  submit(1, slot);
  expect(claim(0, 0, 10)).toEqual([]);
  expect(owner(slot)).toBe(submittedTo(1));
  expect(claim(1, 1, 10)).toEqual([slot]);
});

test('a full ring takes no more, and leaves the slot with the HTTP thread', () => {
  const { slots, owner, submit } = setUp();
  const taken = Array.from({ length: 8 }, () => slots.take());
  expect(slots.take()).toBe(-1);
  for (const [i, slot] of taken.entries()) expect(submit(1, slot)).toBe(i + 1);
  expect(submit(1, taken[0])).toBe(0);
  expect(owner(taken[0])).toBe(layout.SLOT_HTTP_STATE);
});

test('a claim takes its share of what waits, rounded up', () => {
  const { slots, submit, claim } = setUp({ shards: 2, permits: 8, slots: 8, slotBytes: 2_048 });
  const taken = Array.from({ length: 5 }, () => slots.take());
  for (const slot of taken) submit(0, slot);
  expect(claim(0, 0, 10, 2)).toEqual(taken.slice(0, 3));
  expect(claim(0, 1, 10, 2)).toEqual(taken.slice(3, 4));
  expect(claim(0, 0, 10, 2)).toEqual(taken.slice(4));
});

test('a slot that is bound to a shard is not claimed through an older entry of it in the ring that others claim from', () => {
  const { core, plan, slots, submit, claim } = setUp();
  const { slotsAddress, slotStride } = plan;
  const slot = slots.take();
  submit(0, slot);
  core.i32[(slotsAddress + slot * slotStride) >> 2] = layout.SLOT_HTTP_STATE;
  const { bound } = shardAddresses(plan, 0);
  core.wasm.slotSubmit(bound, boundTo(0), slotsAddress, slotStride, slot);
  expect(claim(0, 1, 10)).toEqual([]);
  const batch = core.allocate(64);
  expect(core.wasm.slotClaim(bound, boundTo(0), slotsAddress, slotStride, 0, batch, 10)).toBe(1);
});

test('the oldest slot is found past entries of slots that were taken back, which are left behind', () => {
  const { core, plan, slots, submit, oldest, length } = setUp();
  const taken = Array.from({ length: 3 }, () => slots.take());
  for (const slot of taken) submit(0, slot);
  for (const slot of taken.slice(0, 2)) {
    core.i32[(plan.slotsAddress + slot * plan.slotStride) >> 2] = layout.SLOT_HTTP_STATE;
  }
  expect([oldest(0), length(0)]).toEqual([taken[2], 1]);
  expect(oldest(1)).toBe(-1);
});
