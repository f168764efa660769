import { performance } from 'node:perf_hooks';
import { clearTimeout, setInterval, setTimeout } from 'node:timers';
import type { MessagePort } from 'node:worker_threads';
import type { EndSteps, EndTimes } from './shard.js';

/** The thread is terminated when the grace period ends, so it must exit before. */
const GRACE_PART = 0.9;
/** Part of the time left that upgraded connections may take to end; the rest is for listeners of `beforeExit` and what they start. */
const CONNECTIONS_PART = 0.75;
/** How long intervals, idle connections and similar handles may keep the event loop alive. */
const LINGER_MS = 100;
const LOOK_MS = 10;

/**
 * Ends the thread in order: handlers settle, the app closes, upgraded connections end, listeners of `beforeExit` are called and their
 * promises awaited, pending system requests finish, and `exit` is emitted. Node.js itself emits `beforeExit` only if nothing keeps the event
 * loop alive, which connection pools usually do. Shard only.
 * @param channel is unreferenced, so that an event loop without work ends
 */
export async function endInOrder(channel: MessagePort, steps: EndSteps, times: EndTimes): Promise<void> {
  const deadline = performance.now() + times.graceMs * GRACE_PART;
  await endRequests(steps, times.handlersMs, deadline);
  const listeners = process.listeners('beforeExit');
  process.removeAllListeners('beforeExit');
  const flushed = listeners.map(async (listener) => listener.call(process, 0));
  await within(Promise.allSettled(flushed), deadline - performance.now());
  channel.unref();
  const lingersUntil = Math.min(deadline, performance.now() + LINGER_MS);
  // Unreferenced: without other work the thread ends earlier.
  setInterval(() => {
    if (performance.now() >= (hasRequests() ? deadline : lingersUntil)) process.exit(0);
  }, LOOK_MS).unref();
}

/**
 * Lets handlers settle, closes the app, and lets upgraded connections end.
 * @param handlersMs how long handlers may take
 * @param deadline by `performance.now()`
 */
export async function endRequests(steps: EndSteps, handlersMs: number, deadline: number): Promise<void> {
  await within(steps.settled, handlersMs);
  await within(steps.closeApp(), deadline - performance.now());
  await within(steps.disconnected(), (deadline - performance.now()) * CONNECTIONS_PART);
  steps.disconnect();
}

/** Whether system requests, such as file operations or name lookups, are pending. */
function hasRequests(): boolean {
  return process.getActiveResourcesInfo().some((type) => type.includes('Req'));
}

/** Waits for `promise`, but at most `ms` milliseconds. */
export function within(promise: Promise<unknown>, ms: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms));
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
