import type { MessagePort } from 'node:worker_threads';
import { describe } from '../contract/describe.js';
import type { ShardReport, ShardStart } from '../contract/messages.js';
import type { Shard } from './shard.js';

/** Exceptions that a shard reports while it ends: a timer may throw until then. */
const LAST_REPORTS = 10;

/**
 * Makes an uncaught exception fail only the request that caused it. The state of the thread can no longer be trusted, so it claims
 * nothing more, lets started requests settle within the grace period, and ends, unless `onUncaught` is `continue`. With `exit` this
 * does nothing: Node.js ends the thread immediately. If the app has its own listener, the app decides, as in Node.js: the thread
 * continues. Shard only.
 */
export function handleUncaught(channel: MessagePort, shard: Shard, start: ShardStart): void {
  const { handlers } = shard.loop;
  if (start.onUncaught === 'exit') return;
  let reportsLeft = LAST_REPORTS;
  const onUncaught = (error: unknown) => {
    const isOwn = process.listenerCount('uncaughtException') === 1;
    const ends = isOwn && start.onUncaught === 'replace' && !shard.isEnding;
    const request = handlers.culprit();
    const report: ShardReport = { type: 'uncaught', error: describe(error), ends, ...(request && { request }) };
    if (!shard.isEnding || reportsLeft-- > 0) channel.postMessage(report);
    // Before `failCulprit`, so that the loop also waits for that response.
    const settled = ends ? shard.stop() : undefined;
    handlers.failCulprit(error);
    if (settled === undefined) return;
    shard.end(settled, { handlersMs: start.graceMs / 2, graceMs: start.graceMs });
  };
  process.on('uncaughtException', onUncaught);
}
