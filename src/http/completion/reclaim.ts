import { SLOT_NO_START } from '../../../assembly/layout.js';
import type { HttpSide } from '../../contract/http-side.js';
import type { Dispatcher } from '../admission/dispatcher.js';
import type { Exchange } from '../exchange.js';
import type { Completions } from './completions.js';

/** The parts that are involved when a slot comes back. */
export interface Reclaimers {
  side: HttpSide;
  exchanges: readonly Exchange[];
  completions: Completions;
  dispatcher: Dispatcher;
}

/**
 * Takes back what a shard owned; only after its thread has exited, because until then its slots belong to it. Completed responses are sent.
 * Started requests get 502, because it is unknown how far their handlers came. Requests that were not started go to another shard, or wait
 * in its ring for the thread that replaces it; if a part of the body is lost, they get 503. The control thread frees the shard's extents
 * once every HTTP thread has done this.
 */
export function reclaim(shard: number, { side, exchanges, completions, dispatcher }: Reclaimers): void {
  while (completions.reap(shard) > 0);
  for (let slot = side.range.first; slot < side.range.end; slot++) {
    const exchange = exchanges[slot];
    if (exchange.ready) continue;
    if (side.completedBy(slot) === shard) completions.complete(slot, shard);
    else if (side.reclaim(slot, shard)) {
      const isUnstarted = side.startedAt(slot) === SLOT_NO_START;
      // The pieces of a gathered body are lost with the thread.
      if (isUnstarted && exchange.connection === undefined) {
        completions.drop(exchange);
        continue;
      }
      if (isUnstarted && exchange.upload?.isRead !== true) {
        dispatcher.resubmit(slot, shard);
        continue;
      }
      if (!isUnstarted) exchange.ranOn = shard;
      completions.refuse(exchange, isUnstarted ? 'NO_SHARD' : 'SHARD_LOST');
    } else if (side.waitsFor(slot) === shard && dispatcher.hasOther(slot) && dispatcher.recall(slot)) {
      dispatcher.resubmit(slot, shard);
    }
  }
  completions.schedule();
}

/**
 * Passes on the queued requests of a shard that accepts no requests now.
 * @param gaveUp the shard has no thread, or does not start what it has claimed either: that is passed on too, and requests that no other
 * shard accepts are rejected
 */
export function relieve(shard: number, gaveUp: boolean, reclaimers: Reclaimers): void {
  const { side, exchanges, completions, dispatcher } = reclaimers;
  for (let slot = side.range.first; slot < side.range.end; slot++) {
    const exchange = exchanges[slot];
    if (exchange.ready) continue;
    const waits = side.waitsFor(slot) === shard || (gaveUp && side.heldBy(slot) === shard);
    const hasOther = waits && dispatcher.hasOther(slot);
    if (!waits || !(hasOther || gaveUp) || !dispatcher.recall(slot)) continue;
    if (hasOther) dispatcher.resubmit(slot, shard);
    else completions.refuse(exchange, 'NO_SHARD');
  }
  completions.schedule();
}
