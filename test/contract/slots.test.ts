import { expect, test } from '@jest/globals';
import * as layout from '../../build/assembly/layout.js';
import { FreeSlots } from '../../build/src/contract/free-slots.js';
import { HttpSide } from '../../build/src/contract/http-side.js';
import { createServerMemory, slotAddress } from '../../build/src/contract/memory-map.js';
import { boundTo, ShardSide, submittedTo } from '../../build/src/contract/shard-side.js';

/* Slot ownership, step by step: the state after a claim, a completion, a recall and a full ring. */
function setUp({ permits = 3, slots = 8 } = {}) {
  const { core, map } = createServerMemory({ shards: 2, permits, slots, slotBytes: 2_048, extentBytes: 2 ** 21 });
  const http = new HttpSide(core, map);
  const alone = [0, 1].map((shard) => new ShardSide(core, map, shard, []));
  const thieves = [0, 1].map((shard) => new ShardSide(core, map, shard, [1 - shard]));
  const list = (side: ShardSide, count: number) => Array.from({ length: count }, (_, i) => side.claimed(i));
  return {
    core,
    http,
    slots: new FreeSlots(core, map),
    owner: (slot: number) => core.i32[slotAddress(map, slot) >> 2],
    available: (shard: number) => http.words.permits(shard).available,
    submit: (shard: number, slot: number, bound = false) => http.submit(slot, shard, bound),
    /** Claims everything that is queued for the shard, as far as its permits allow. */
    claim: (shard: number) => list(alone[shard], alone[shard].claim(10, 1)),
    /** Claims the shard's share of its own rings when another shard may steal from them. */
    claimShare: (shard: number) => list(thieves[shard], thieves[shard].claim(10, 1)),
    steal: (shard: number) => list(thieves[shard], thieves[shard].steal(10)),
    complete: (shard: number, slot: number, hasPermit = true) => alone[shard].complete(slot, hasPermit),
    start: (shard: number, slot: number) => alone[shard].tryStart(slot),
    poll: (shard: number) => Array.from({ length: http.poll(shard) }, (_, i) => http.polled(i)),
  };
}

const claimedBy = (shard: number) => layout.SLOT_CLAIMED_STATE | (shard << layout.OWNER_SHIFT);
const startedBy = (shard: number) => layout.SLOT_STARTED_STATE | (shard << layout.OWNER_SHIFT);
const completedBy = (shard: number) => layout.SLOT_COMPLETED_STATE | (shard << layout.OWNER_SHIFT);

test('a slot passes from the HTTP thread to a shard and back', () => {
  const { slots, http, owner, submit, claim, start, complete, poll } = setUp();
  const slot = slots.take();
  expect(owner(slot)).toBe(layout.SLOT_HTTP_STATE);
  submit(0, slot);
  expect([owner(slot), http.waitsFor(slot)]).toEqual([submittedTo(0), 0]);
  expect(claim(0)).toEqual([slot]);
  expect([owner(slot), http.heldBy(slot)]).toEqual([claimedBy(0), 0]);
  expect([complete(0, slot), start(1, slot), start(0, slot)]).toEqual([false, false, true]);
  expect([owner(slot), http.heldBy(slot)]).toEqual([startedBy(0), 0]);
  http.views[slot].writeResponse(0, 0, 0, layout.NO_EXTENT);
  complete(0, slot);
  expect([owner(slot), http.completedBy(slot)]).toEqual([completedBy(0), 0]);
  expect(poll(0)).toEqual([slot]);
  expect([http.takeOver(slot, 1), http.takeOver(slot, 0), http.takeOver(slot, 0)]).toEqual([false, true, false]);
  slots.release(slot);
  expect([owner(slot), slots.free]).toEqual([layout.SLOT_FREE_STATE, 8]);
});

test('a slot is completed once, by the shard that started it, with or without its permit', () => {
  const { slots, submit, claim, start, complete, poll, available } = setUp();
  const [first, second] = [slots.take(), slots.take()];
  expect(complete(0, first)).toBe(false);
  submit(0, first);
  submit(0, second);
  expect(complete(0, first)).toBe(false);
  expect([claim(0), available(0)]).toEqual([[first, second], 1]);
  expect([complete(0, first), start(0, first), start(0, first), start(0, second)]).toEqual([false, true, false, true]);
  expect([complete(1, first), available(1)]).toEqual([false, 3]);
  expect([complete(0, first), available(0)]).toEqual([true, 2]);
  expect([complete(0, first), available(0)]).toEqual([false, 2]);
  expect([complete(0, second, false), available(0)]).toEqual([true, 2]);
  expect([poll(0), poll(1)]).toEqual([[first, second], []]);
});

test('slots that are recalled repeatedly do not fill the ring, and waiting slots keep their order', () => {
  const { slots, http, submit, claim } = setUp({ slots: 4, permits: 8 });
  const [first, other, last] = [slots.take(), slots.take(), slots.take()];
  submit(0, first);
  for (let i = 0; i < 20; i++) {
    submit(0, other);
    expect(http.recall(other)).toBe(true);
  }
  submit(0, last);
  submit(0, other);
  expect(claim(0)).toEqual([first, last, other]);
  expect([claim(0), http.queued(0)]).toEqual([[], 0]);
});

test('claims stop when the permits run out; the rest stays in the ring', () => {
  const { slots, submit, claim, available } = setUp();
  const taken = Array.from({ length: 5 }, () => slots.take());
  for (const slot of taken) submit(0, slot);
  expect(claim(0)).toEqual(taken.slice(0, 3));
  expect([available(0), claim(0)]).toEqual([0, []]);
});

test('another shard claims in the same step, and no slot is claimed twice', () => {
  const { slots, owner, submit, claim, steal, available } = setUp();
  const taken = Array.from({ length: 4 }, () => slots.take());
  for (const slot of taken) submit(0, slot);
  expect(steal(1)).toEqual(taken.slice(0, 2));
  expect(claim(0)).toEqual(taken.slice(2));
  expect(taken.map(owner)).toEqual([claimedBy(1), claimedBy(1), claimedBy(0), claimedBy(0)]);
  expect([available(0), available(1)]).toEqual([1, 1]);
});

test('a shard takes its share of slots that others may steal, rounded up', () => {
  const { slots, submit, claimShare } = setUp({ permits: 8 });
  const taken = Array.from({ length: 5 }, () => slots.take());
  for (const slot of taken) submit(0, slot);
  expect(claimShare(0)).toEqual(taken.slice(0, 3));
  expect(claimShare(0)).toEqual(taken.slice(3, 4));
  expect(claimShare(0)).toEqual(taken.slice(4));
});

test('skips the entry of a recalled slot, and returns its permit', () => {
  const { slots, http, submit, claim, available } = setUp();
  const [first, second] = [slots.take(), slots.take()];
  submit(0, first);
  submit(0, second);
  expect([http.recall(first), http.recall(first)]).toEqual([true, false]);
  expect(claim(0)).toEqual([second]);
  expect(available(0)).toBe(2);
});

test('a claimed slot cannot be recalled', () => {
  const { slots, http, submit, claim } = setUp();
  const slot = slots.take();
  submit(0, slot);
  claim(0);
  expect(http.recall(slot)).toBe(false);
});

test('does not claim through the entry of a slot that was recalled and submitted to another ring', () => {
  const { slots, http, owner, submit, claim } = setUp();
  const slot = slots.take();
  submit(0, slot);
  http.recall(slot);
  submit(1, slot);
  expect(claim(0)).toEqual([]);
  expect(owner(slot)).toBe(submittedTo(1));
  expect(claim(1)).toEqual([slot]);
});

test('does not steal a slot that is bound to a shard through an older entry in the shared ring', () => {
  const { slots, http, owner, submit, steal, claim } = setUp();
  const slot = slots.take();
  submit(0, slot);
  http.recall(slot);
  submit(0, slot, true);
  expect([steal(1), owner(slot)]).toEqual([[], boundTo(0)]);
  expect(claim(0)).toEqual([slot]);
});

test('a ring has room for all slots, including one that was recalled while its entry remains', () => {
  const { slots, http, submit, claim } = setUp({ permits: 8 });
  const taken = Array.from({ length: 8 }, () => slots.take());
  expect(slots.take()).toBe(-1);
  for (const slot of taken) submit(1, slot);
  expect(http.queued(1)).toBe(8);
  http.recall(taken[3]);
  submit(1, taken[3]);
  expect(claim(1)).toEqual([...taken.slice(0, 3), ...taken.slice(4), taken[3]]);
});

test('finds the oldest slot behind entries of recalled slots, and removes these', () => {
  const { slots, http, submit } = setUp();
  const taken = Array.from({ length: 3 }, () => slots.take());
  for (const slot of taken) submit(0, slot);
  for (const slot of taken.slice(0, 2)) http.recall(slot);
  expect([http.oldest(0, false), http.queued(0)]).toEqual([taken[2], 1]);
  expect(http.oldest(1, false)).toBe(-1);
});

test('a claimed slot is either started or revoked, and a revoked slot can go to another shard', () => {
  const { slots, http, owner, submit, claim, start, complete } = setUp();
  const [first, second] = [slots.take(), slots.take()];
  for (const slot of [first, second]) submit(0, slot);
  expect([http.revoke(first), claim(0)]).toEqual([false, [first, second]]);
  expect([start(0, first), http.revoke(first)]).toEqual([true, false]);
  expect([http.revoke(second), http.revoke(second), start(0, second)]).toEqual([true, false, false]);
  expect(owner(second)).toBe(layout.SLOT_HTTP_STATE);
  submit(1, second);
  expect([claim(1), start(0, second), start(1, second)]).toEqual([[second], false, true]);
  expect([complete(0, second), complete(1, second)]).toEqual([false, true]);
});

test('reclaims the slots that an ended shard had claimed or started once, but not those that it had completed', () => {
  const { slots, http, submit, claim, start, complete } = setUp();
  const [first, second, third] = [slots.take(), slots.take(), slots.take()];
  for (const slot of [first, second, third]) submit(0, slot);
  claim(0);
  start(0, first);
  start(0, second);
  complete(0, first);
  expect(http.reclaim(first, 0)).toBe(false);
  for (const slot of [second, third]) {
    expect([http.reclaim(slot, 1), http.reclaim(slot, 0), http.reclaim(slot, 0)]).toEqual([false, true, false]);
  }
});
