/* Permits: a counting semaphore whose limit may change while permits are taken. */
import { SEMAPHORE_AVAILABLE_OFFSET, SEMAPHORE_LIMIT_OFFSET, SEMAPHORE_WAITERS_OFFSET } from './layout';

/** Initializes a semaphore before it is shared. */
export function semaphoreInitialize(semaphore: usize, permits: i32): void {
  atomic.store<i32>(semaphore + SEMAPHORE_AVAILABLE_OFFSET, permits);
  atomic.store<i32>(semaphore + SEMAPHORE_LIMIT_OFFSET, permits);
  atomic.store<i32>(semaphore + SEMAPHORE_WAITERS_OFFSET, 0);
}

/** Number of free permits; never negative. Any thread. */
export function semaphoreAvailable(semaphore: usize): i32 {
  return max(atomic.load<i32>(semaphore + SEMAPHORE_AVAILABLE_OFFSET), 0);
}

/** Total number of permits. Any thread. */
export function semaphoreLimit(semaphore: usize): i32 {
  return atomic.load<i32>(semaphore + SEMAPHORE_LIMIT_OFFSET);
}

/**
 * Takes all `count` permits or none. Any thread; never blocks.
 * @returns 1 if they were taken
 */
export function semaphoreTryAcquire(semaphore: usize, count: i32): i32 {
  let available = atomic.load<i32>(semaphore + SEMAPHORE_AVAILABLE_OFFSET);
  while (available >= count) {
    const seen = atomic.cmpxchg<i32>(semaphore + SEMAPHORE_AVAILABLE_OFFSET, available, available - count);
    if (seen == available) return 1;
    available = seen;
  }
  return 0;
}

/**
 * Takes up to `most` permits, as many as are free. Any thread; never blocks.
 * @returns how many were taken
 */
export function semaphoreTryAcquireUpTo(semaphore: usize, most: i32): i32 {
  let available = atomic.load<i32>(semaphore + SEMAPHORE_AVAILABLE_OFFSET);
  while (available > 0) {
    const count = min(available, most);
    const seen = atomic.cmpxchg<i32>(semaphore + SEMAPHORE_AVAILABLE_OFFSET, available, available - count);
    if (seen == available) return count;
    available = seen;
  }
  return 0;
}

/** Releases permits, then wakes the threads that wait for one. Any thread; never blocks. */
export function semaphoreRelease(semaphore: usize, count: i32): void {
  atomic.add<i32>(semaphore + SEMAPHORE_AVAILABLE_OFFSET, count);
  // Pairs with semaphoreAwait, which announces the waiter before its last check of AVAILABLE.
  if (atomic.load<i32>(semaphore + SEMAPHORE_WAITERS_OFFSET) != 0) {
    atomic.notify(semaphore + SEMAPHORE_AVAILABLE_OFFSET, -1);
  }
}

/** Changes the limit; taken permits stay taken. Any thread, one at a time; never blocks. */
export function semaphoreSetLimit(semaphore: usize, permits: i32): void {
  const before = atomic.xchg<i32>(semaphore + SEMAPHORE_LIMIT_OFFSET, permits);
  semaphoreRelease(semaphore, permits - before);
}

/** Announces a waiter. Each call is matched by one of semaphoreLeave. */
export function semaphoreAwait(semaphore: usize): i32 {
  atomic.add<i32>(semaphore + SEMAPHORE_WAITERS_OFFSET, 1);
  return atomic.load<i32>(semaphore + SEMAPHORE_AVAILABLE_OFFSET);
}

export function semaphoreLeave(semaphore: usize): void {
  atomic.sub<i32>(semaphore + SEMAPHORE_WAITERS_OFFSET, 1);
}
