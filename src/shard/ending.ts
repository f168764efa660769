import { performance } from 'node:perf_hooks';
import { clearTimeout, setInterval, setTimeout } from 'node:timers';
import type { MessagePort } from 'node:worker_threads';

/** The thread is terminated at the end of the grace: it ends by itself before. */
const GRACE_PART = 0.9;
/** What keeps the event loop alive and is no request to the system, such as an interval or an idle connection, ends after this time. */
const LINGER_MS = 100;
const LOOK_MS = 10;

/**
 * Ends the thread in order: handlers settle, the app closes, listeners of `beforeExit` are called and their promises awaited, what was asked
 * of the system comes back, and `exit` is emitted. Node.js itself emits `beforeExit` only where nothing is left that keeps the
 * event loop alive, which is rare where there are pools of connections. Shard.
 * @param channel unreferenced, so that an event loop without work ends
 * @param settled no handler is in flight
 * @param closeApp is called once they have, and awaited
 * @param handlersMs what handlers may use of `graceMs`; the rest is for listeners of `beforeExit` and what they start
 */
export async function endInOrder(
  channel: MessagePort,
  settled: Promise<void>,
  closeApp: () => Promise<void>,
  { handlersMs, graceMs }: { handlersMs: number; graceMs: number },
): Promise<void> {
  const deadline = performance.now() + graceMs * GRACE_PART;
  await within(settled, handlersMs);
  await within(closeApp(), deadline - performance.now());
  const listeners = process.listeners('beforeExit');
  process.removeAllListeners('beforeExit');
  const flushed = listeners.map(async (listener) => listener.call(process, 0));
  await within(Promise.allSettled(flushed), deadline - performance.now());
  channel.unref();
  const lingersUntil = Math.min(deadline, performance.now() + LINGER_MS);
  // It does not keep the thread alive: where nothing else does, the thread ends before.
  setInterval(() => {
    if (performance.now() >= (hasRequests() ? deadline : lingersUntil)) process.exit(0);
  }, LOOK_MS).unref();
}

/** Something was asked of the system that has not come back, such as a file or a name. */
function hasRequests(): boolean {
  return process.getActiveResourcesInfo().some((type) => type.includes('Req'));
}

/** Waits for `promise`, for so long at most. */
export function within(promise: Promise<unknown>, ms: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
