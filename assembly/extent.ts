/*
 * Extents: pieces of memory for messages that do not fit their slot. Each has an owner word; each class has a bitmap of hints.
 *
 *   FREE ──extentTake──▶ SHARD n or HTTP n ──extentPass──▶ HTTP n ──extentGive──▶ FREE
 *
 * Only the owner word determines the owner of an extent. It is taken by one compare-and-swap, so a thread that is terminated at any
 * instruction leaves every extent either free or its own. A set bit only hints where a free one may be. A bit is set after its
 * extent was freed and cleared after it was taken; a thread that ends in between leaves a wrong hint, which extentReclaim
 * repairs. A list would have an instant between "popped" and "owned" at which an extent can be lost (test/model has this as a
 * mistake that the model finds).
 *
 * Threads take the lowest free index, so few extents are ever touched, and those are warm.
 */
import { EXTENT_FREE_STATE, EXTENT_OWNER_SHIFT } from './layout';

function ownerAddress(owners: usize, index: i32): usize {
  return owners + ((<usize>index) << EXTENT_OWNER_SHIFT);
}

/** The hint word with the bit of `index`. */
function hintAddress(hints: usize, index: i32): usize {
  return hints + ((<usize>(index >> 5)) << 2);
}

/** Marks every extent as free. Before the class is shared. */
export function extentInitialize(hints: usize, owners: usize, count: i32): void {
  for (let index = 0; index < count; index++) {
    atomic.store<i32>(ownerAddress(owners, index), EXTENT_FREE_STATE);
    atomic.or<i32>(hintAddress(hints, index), 1 << (index & 31));
  }
}

/**
 * Takes a free extent of a class. Any thread; never blocks.
 * @param owner the owner word from now on
 * @returns its index, or -1 if none was found free
 */
export function extentTake(hints: usize, owners: usize, count: i32, owner: i32): i32 {
  for (let first = 0; first < count; first += 32) {
    const address = hintAddress(hints, first);
    let candidates = atomic.load<i32>(address);
    while (candidates != 0) {
      const bit = ctz(candidates);
      candidates &= candidates - 1;
      const index = first + bit;
      // The step. Pairs with the store in extentGive: the previous owner's accesses to the bytes happened before.
      if (atomic.cmpxchg<i32>(ownerAddress(owners, index), EXTENT_FREE_STATE, owner) != EXTENT_FREE_STATE) continue;
      atomic.and<i32>(address, ~(1 << bit));
      return index;
    }
  }
  return -1;
}

/**
 * Passes an extent on with the slot that names it. Called by the new owner; never blocks.
 * @returns 1 if `from` owned it
 */
export function extentPass(owners: usize, index: i32, from: i32, to: i32): i32 {
  return atomic.cmpxchg<i32>(ownerAddress(owners, index), from, to) == from ? 1 : 0;
}

/** Gives an extent back. Its owner; never blocks. */
export function extentGive(hints: usize, owners: usize, index: i32): void {
  atomic.store<i32>(ownerAddress(owners, index), EXTENT_FREE_STATE);
  atomic.or<i32>(hintAddress(hints, index), 1 << (index & 31));
}

/**
 * Frees the extents of a thread. Only after it has exited, and its completions were taken over.
 * @param owner the owner word of its extents
 * @returns how many were freed
 */
export function extentReclaim(hints: usize, owners: usize, count: i32, owner: i32): i32 {
  let reclaimed = 0;
  for (let index = 0; index < count; index++) {
    const address = ownerAddress(owners, index);
    if (atomic.cmpxchg<i32>(address, owner, EXTENT_FREE_STATE) == owner) reclaimed++;
    // A thread that ended between its steps may have left a free extent without its bit; a superfluous bit is only a hint.
    if (atomic.load<i32>(address) == EXTENT_FREE_STATE) atomic.or<i32>(hintAddress(hints, index), 1 << (index & 31));
  }
  return reclaimed;
}

/** Number of free extents of a class. Any thread; an estimate while others run. */
export function extentsFree(owners: usize, count: i32): i32 {
  let free = 0;
  for (let index = 0; index < count; index++) {
    if (atomic.load<i32>(ownerAddress(owners, index)) == EXTENT_FREE_STATE) free++;
  }
  return free;
}
