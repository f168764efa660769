import type { MessagePort } from 'node:worker_threads';
import { describe } from '../contract/describe.js';
import type { ShardReport, ShardStart } from '../contract/messages.js';
import type { Shard } from './shard.js';

/** Exceptions that a shard reports while it ends: a timer may throw until then. */
const LAST_REPORTS = 10;

/**
 * Has an exception that nobody caught fail the request that caused it, and no other. The state of the thread cannot be trusted
 * afterwards, so it claims nothing more, lets what it has started settle within the grace, and ends, unless `onUncaught` is
 * `continue`. With `exit`, nothing is done: Node.js ends the thread at once. An app with a listener of its own decides itself,
 * as in Node.js: the thread goes on. Shard.
 */
export function handleUncaught(channel: MessagePort, shard: Shard, start: ShardStart): void {
  const { handlers } = shard.loop;
  if (start.onUncaught === 'exit') return;
  let isEnding = false;
  let reportsLeft = LAST_REPORTS;
  const onUncaught = (error: unknown) => {
    const isOwn = process.listenerCount('uncaughtException') === 1;
    const ends = isOwn && start.onUncaught === 'replace' && !isEnding;
    const request = handlers.culprit();
    const report: ShardReport = { type: 'uncaught', error: describe(error), ends, ...(request && { request }) };
    if (!isEnding || reportsLeft-- > 0) channel.postMessage(report);
    // First, so that the response below is the last thing that it waits for.
    const settled = ends ? shard.loop.stop() : undefined;
    handlers.failCulprit(error);
    if (settled === undefined) return;
    isEnding = true;
    shard.end(settled, { handlersMs: start.graceMs / 2, graceMs: start.graceMs });
  };
  process.on('uncaughtException', onUncaught);
}
