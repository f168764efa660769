/*
 * The ring: a bounded queue of 32-bit values. One producer; one consumer with `ringPoll`, any number with `ringClaim`.
 *
 * Positions run freely and wrap at 2³²; only their differences are compared, so the capacity, a power of two, is usable to the
 * last entry.
 */
import { RING_ENTRIES_OFFSET, RING_ENTRY_SHIFT, RING_HEAD_OFFSET, RING_MASK_OFFSET, RING_TAIL_OFFSET } from './layout';

export function entryAddress(ring: usize, position: i32): usize {
  // The mask is written before any other thread maps the ring: a plain load is enough.
  const mask = load<i32>(ring + RING_MASK_OFFSET);
  return ring + RING_ENTRIES_OFFSET + ((<usize>(<u32>(position & mask))) << RING_ENTRY_SHIFT);
}

/** From this many entries on, `memory.copy` is faster than a loop. */
const LONG = 32;

/** Copies `count` entries, from `position` on, to `destination`. */
function copyOut(ring: usize, position: i32, destination: usize, count: i32): void {
  if (count < LONG) {
    for (let i = 0; i < count; i++)
      store<i32>(afterEntries(destination, i), load<i32>(entryAddress(ring, position + i)));
    return;
  }
  const first = beforeEnd(ring, position, count);
  memory.copy(destination, entryAddress(ring, position), (<usize>first) << RING_ENTRY_SHIFT);
  memory.copy(
    afterEntries(destination, first),
    ring + RING_ENTRIES_OFFSET,
    (<usize>(count - first)) << RING_ENTRY_SHIFT,
  );
}

/** Copies `count` values from `source` into the entries from `position` on. */
function copyIn(ring: usize, position: i32, source: usize, count: i32): void {
  if (count < LONG) {
    for (let i = 0; i < count; i++) store<i32>(entryAddress(ring, position + i), load<i32>(afterEntries(source, i)));
    return;
  }
  const first = beforeEnd(ring, position, count);
  memory.copy(entryAddress(ring, position), source, (<usize>first) << RING_ENTRY_SHIFT);
  memory.copy(ring + RING_ENTRIES_OFFSET, afterEntries(source, first), (<usize>(count - first)) << RING_ENTRY_SHIFT);
}

function capacityOf(ring: usize): i32 {
  return load<i32>(ring + RING_MASK_OFFSET) + 1;
}

function afterEntries(start: usize, count: i32): usize {
  return start + ((<usize>count) << RING_ENTRY_SHIFT);
}

/** How many of `count` entries from `position` on lie before the end of the ring's memory. */
function beforeEnd(ring: usize, position: i32, count: i32): i32 {
  const capacity = capacityOf(ring);
  return min(count, capacity - (position & (capacity - 1)));
}

/** Initializes a ring before it is shared. `capacity` is a power of two. */
export function ringInitialize(ring: usize, capacity: i32): void {
  store<i32>(ring + RING_MASK_OFFSET, capacity - 1);
  atomic.store<i32>(ring + RING_HEAD_OFFSET, 0);
  atomic.store<i32>(ring + RING_TAIL_OFFSET, 0);
}

/** Number of published values that were not taken yet. Any thread; an estimate while others run. */
export function ringLength(ring: usize): i32 {
  // Head first: it never overtakes the tail, so the difference is never negative.
  const head = atomic.load<i32>(ring + RING_HEAD_OFFSET);
  return atomic.load<i32>(ring + RING_TAIL_OFFSET) - head;
}

/** Number of entries that can be published now. Producer only, for whom other threads never reduce it. */
export function ringRoom(ring: usize): i32 {
  // Only this thread writes the tail: a plain load sees its own last store.
  const tail = load<i32>(ring + RING_TAIL_OFFSET);
  return capacityOf(ring) - (tail - atomic.load<i32>(ring + RING_HEAD_OFFSET));
}

/**
 * Publishes a value. Producer only; never blocks.
 * @returns 1, or 0 if the ring is full
 */
export function ringPublish(ring: usize, value: i32): i32 {
  if (ringRoom(ring) <= 0) return 0;
  const tail = load<i32>(ring + RING_TAIL_OFFSET);
  // Plain: the store of the tail, which consumers load first, publishes it.
  store<i32>(entryAddress(ring, tail), value);
  atomic.store<i32>(ring + RING_TAIL_OFFSET, tail + 1);
  return 1;
}

/**
 * Publishes up to `count` values from `source` with one store of the tail. Producer only; never blocks.
 * @returns how many fitted
 */
export function ringPublishBatch(ring: usize, source: usize, count: i32): i32 {
  const tail = load<i32>(ring + RING_TAIL_OFFSET);
  const taken = min(count, ringRoom(ring));
  if (taken <= 0) return 0;
  copyIn(ring, tail, source, taken);
  atomic.store<i32>(ring + RING_TAIL_OFFSET, tail + taken);
  return taken;
}

/**
 * Takes up to `max` values, oldest first, with one store of the head. The only consumer; never blocks.
 * @returns how many were written to `destination`
 */
export function ringPoll(ring: usize, destination: usize, max: i32): i32 {
  const head = load<i32>(ring + RING_HEAD_OFFSET);
  const count = min(atomic.load<i32>(ring + RING_TAIL_OFFSET) - head, max);
  if (count <= 0) return 0;
  copyOut(ring, head, destination, count);
  // The producer loads the head before it overwrites an entry.
  atomic.store<i32>(ring + RING_HEAD_OFFSET, head + count);
  return count;
}

/**
 * Takes up to `max` values, oldest first; several consumers may do so concurrently, and each value goes to one of them. Any
 * thread; never blocks. A consumer that is terminated between the exchange and its return loses its batch: where that matters,
 * claim slots (slot.ts) instead.
 * @returns how many were written to `destination`
 */
export function ringClaim(ring: usize, destination: usize, max: i32): i32 {
  while (true) {
    const head = atomic.load<i32>(ring + RING_HEAD_OFFSET);
    // If other consumers were faster, the difference may be more than the ring holds.
    const queued = min(atomic.load<i32>(ring + RING_TAIL_OFFSET) - head, capacityOf(ring));
    const count = min(queued, max);
    if (count <= 0) return 0;
    // May read entries that are being overwritten, if another consumer was faster: then the exchange fails.
    copyOut(ring, head, destination, count);
    if (atomic.cmpxchg<i32>(ring + RING_HEAD_OFFSET, head, head + count) == head) return count;
  }
}
