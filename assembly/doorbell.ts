/*
 * Doorbells: how an idle thread is woken without ever losing a wake-up.
 *
 *   waiter                          publisher
 *   ──────                          ─────────
 *   bell   = load(BELL)             publish (ring tail)          P1
 *   store(PARKED, 1)        W1      load(PARKED)                 P2
 *   check the ring again    W2      if 1: PARKED → 0, BELL + 1, notify
 *   wait on BELL == bell    W3
 *
 * All four accesses are sequentially consistent, so either W2 sees P1 or P2 sees W1; and because `bell` was read before W1, a
 * ring between W2 and W3 makes W3 return immediately.
 */
import { DOORBELL_BELL_OFFSET, DOORBELL_PARKED_OFFSET } from './layout';

/** W1. Returns the value to wait on (`Atomics.waitAsync`, `Atomics.wait`). Called by the doorbell's owner only. */
export function doorbellPark(doorbell: usize): i32 {
  const bell = atomic.load<i32>(doorbell + DOORBELL_BELL_OFFSET);
  atomic.store<i32>(doorbell + DOORBELL_PARKED_OFFSET, 1);
  return bell;
}

/** Marks the owner as awake. Called by the owner only. */
export function doorbellUnpark(doorbell: usize): void {
  atomic.store<i32>(doorbell + DOORBELL_PARKED_OFFSET, 0);
}

/**
 * P2, after the publication. Wakes the owner if it is parked. Any thread; never blocks.
 * @returns 1 if the owner was parked
 */
export function doorbellRing(doorbell: usize): i32 {
  // The load keeps the line shared while the owner is awake, which is the common case.
  if (atomic.load<i32>(doorbell + DOORBELL_PARKED_OFFSET) == 0) return 0;
  if (atomic.xchg<i32>(doorbell + DOORBELL_PARKED_OFFSET, 0) == 0) return 0;
  atomic.add<i32>(doorbell + DOORBELL_BELL_OFFSET, 1);
  atomic.notify(doorbell + DOORBELL_BELL_OFFSET, 1);
  return 1;
}
