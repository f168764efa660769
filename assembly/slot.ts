/*
 * Slots: the steps by which ownership passes through a ring. Steps that only change the owner word are in
 * src/contract/http-side.ts and shard-side.ts.
 *
 *   HTTP ──slotSubmit──▶ SUBMITTED ──slotClaim──▶ CLAIMED ──tryStart──▶ STARTED ──slotComplete──▶ COMPLETED ──▶ HTTP
 *                            └───────recall──────────┴──▶ HTTP          by shard n                by shard n
 *
 * "HTTP" is the HTTP thread in whose range the slot lies.
 *
 * Each step is one compare-and-swap on the owner word: a shard that is terminated at any instruction leaves every slot
 * either SUBMITTED (another shard takes it), CLAIMED or STARTED under its own number (the HTTP thread takes it back once the
 * worker has exited), or COMPLETED (its response is complete). BOUND is SUBMITTED for one shard only.
 */
import {
  OWNER_SHIFT,
  RING_ENTRY_SHIFT,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
  SLOT_CLAIMED_STATE,
  SLOT_COMPLETED_STATE,
  SLOT_OWNER_OFFSET,
  SLOT_STARTED_STATE,
  SLOT_SUBMITTED_AT_OFFSET,
} from './layout';
import { entryAddress, ringLength, ringPublish, ringRoom } from './ring';
import { semaphoreRelease, semaphoreTryAcquireUpTo } from './semaphore';

function ownerAddress(slots: usize, stride: i32, slot: i32): usize {
  return slots + <usize>slot * <usize>stride + SLOT_OWNER_OFFSET;
}

/**
 * Passes a slot that the HTTP thread has filled to the shard that claims it from `ring`. HTTP thread; never blocks.
 * @param submitted the new owner word: SUBMITTED or BOUND, with the shard of the ring
 * @returns how many slots the ring holds now, or 0 if it is full: then nothing has changed
 */
export function slotSubmit(ring: usize, submitted: i32, slots: usize, stride: i32, slot: i32): i32 {
  // First, because nothing can be undone: after the store, a shard that reads a stale entry of this slot may claim it.
  // Only this thread fills the ring, so the room remains until the publication.
  if (ringRoom(ring) <= 0) return 0;
  // Before the entry is published, so that no shard can read the entry with an older owner; pairs with slotClaim.
  atomic.store<i32>(ownerAddress(slots, stride, slot), submitted);
  ringPublish(ring, slot);
  // At least 1, even if the slot was claimed already.
  return max(ringLength(ring), 1);
}

/**
 * Claims up to `most` submitted slots of `ring`, oldest first, for shard `shard`. Any shard, from its own rings or another's
 * submission ring; never blocks.
 *
 * An entry whose slot is not `submitted` is skipped: another shard has claimed it, or the HTTP thread took it back and may
 * have submitted it elsewhere since. A delayed claimer may read an entry that was overwritten in the meantime; if its slot is
 * submitted to this ring, the claim is as valid as one by the slot's own entry, which is skipped later.
 * @param submitted the owner word of slots that were submitted to this ring
 * @returns how many were written to `destination`
 */
export function slotClaim(
  ring: usize,
  submitted: i32,
  slots: usize,
  stride: i32,
  shard: i32,
  destination: usize,
  most: i32,
): i32 {
  const claimed = SLOT_CLAIMED_STATE | (shard << OWNER_SHIFT);
  let position = atomic.load<i32>(ring + RING_HEAD_OFFSET);
  const tail = atomic.load<i32>(ring + RING_TAIL_OFFSET);
  let count = 0;
  while (position != tail && count < most) {
    const slot = load<i32>(entryAddress(ring, position));
    const owner = ownerAddress(slots, stride, slot);
    if (atomic.cmpxchg<i32>(owner, submitted, claimed) == submitted) {
      store<i32>(destination + ((<usize>count) << RING_ENTRY_SHIFT), slot);
      count++;
    }
    position++;
  }
  advanceHead(ring, position);
  return count;
}

/**
 * Like slotClaim, but first takes a permit of `semaphore` for each slot: slots that cannot be started stay in the ring, where
 * others see them. Claims at most its share of the ring, one part of `sharers`, rounded up; but at least `least`.
 */
export function slotClaimPermitted(
  semaphore: usize,
  ring: usize,
  submitted: i32,
  slots: usize,
  stride: i32,
  shard: i32,
  destination: usize,
  most: i32,
  sharers: i32,
  least: i32,
): i32 {
  // Checked before permits are taken: an idle shard must not seem busy to threads that balance by permits.
  const length = ringLength(ring);
  if (length == 0) return 0;
  const permits = semaphoreTryAcquireUpTo(semaphore, min(most, max(least, (length + sharers - 1) / sharers)));
  if (permits == 0) return 0;
  const count = slotClaim(ring, submitted, slots, stride, shard, destination, permits);
  if (count < permits) semaphoreRelease(semaphore, permits - count);
  return count;
}

/**
 * The slot that has been queued longest in `ring`, skipping entries of slots that are no longer `submitted` there. HTTP thread, which
 * alone submits: a slot that it finds submitted stays the oldest one until it is claimed.
 * @returns the slot, or -1
 */
export function slotOldest(ring: usize, submitted: i32, slots: usize, stride: i32): i32 {
  let position = atomic.load<i32>(ring + RING_HEAD_OFFSET);
  const tail = atomic.load<i32>(ring + RING_TAIL_OFFSET);
  let slot = -1;
  while (position != tail) {
    const candidate = load<i32>(entryAddress(ring, position));
    if (atomic.load<i32>(ownerAddress(slots, stride, candidate)) == submitted) {
      slot = candidate;
      break;
    }
    position++;
  }
  advanceHead(ring, position);
  return slot;
}

/**
 * How long the slots that are queued in `ring` have waited between `from` and `to`, added up, in microseconds. The shard of the ring. If there
 * are more than `most`, it looks at every n-th of them. Only estimates are at stake, so the time is read without being the owner.
 * @param from low 32 bits of a time, as `to`
 */
export function slotWaited(ring: usize, submitted: i32, slots: usize, stride: i32, from: i32, to: i32, most: i32): f64 {
  const head = atomic.load<i32>(ring + RING_HEAD_OFFSET);
  const length = atomic.load<i32>(ring + RING_TAIL_OFFSET) - head;
  const step = max((length + most - 1) / most, 1);
  let sum: f64 = 0;
  for (let i = 0; i < length; i += step) {
    const slot = load<i32>(entryAddress(ring, head + i));
    if (atomic.load<i32>(ownerAddress(slots, stride, slot)) != submitted) continue;
    const submittedAt = load<i32>(slots + <usize>slot * <usize>stride + SLOT_SUBMITTED_AT_OFFSET);
    sum += <f64>max(0, min(to - from, to - submittedAt));
  }
  return sum * <f64>step;
}

/** Moves the head to `position` unless another thread has moved it further. */
function advanceHead(ring: usize, position: i32): void {
  let head = atomic.load<i32>(ring + RING_HEAD_OFFSET);
  while (position - head > 0) {
    const seen = atomic.cmpxchg<i32>(ring + RING_HEAD_OFFSET, head, position);
    if (seen == head) return;
    head = seen;
  }
}

/**
 * Gives a started slot, whose response is written, back to the HTTP thread. The shard that started it; never blocks.
 *
 * The completion ring has an entry for every slot, so it cannot be full.
 * @param permits semaphore to which the permit is released, before the response is announced; 0 if it was released before
 * @returns 1, or 0 if the shard had not started it: then nothing has changed
 */
export function slotComplete(ring: usize, slots: usize, stride: i32, shard: i32, slot: i32, permits: usize): i32 {
  const started = SLOT_STARTED_STATE | (shard << OWNER_SHIFT);
  const completed = SLOT_COMPLETED_STATE | (shard << OWNER_SHIFT);
  // First the owner word: if the shard ends before the publication, it shows the HTTP thread that the response is complete. An
  // exchange, though no other thread changes the word: a second completion would be for another request.
  if (atomic.cmpxchg<i32>(ownerAddress(slots, stride, slot), started, completed) != started) return 0;
  if (permits != 0) semaphoreRelease(permits, 1);
  ringPublish(ring, slot);
  return 1;
}
