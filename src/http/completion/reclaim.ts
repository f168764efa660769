import { SLOT_NO_START } from '../../../assembly/layout.js';
import type { HttpSide } from '../../contract/http-side.js';
import type { Dispatcher } from '../admission/dispatcher.js';
import type { Exchange } from '../exchange.js';
import type { Completions } from './completions.js';

/** Who has to do with a slot that comes back. */
export interface Reclaimers {
  side: HttpSide;
  exchanges: readonly Exchange[];
  completions: Completions;
  dispatcher: Dispatcher;
}

/**
 * Takes back what a shard had in hand; only once its thread has exited, because until then its slots are its own.
 * What it had completed is sent; what it had started gets 502, as nobody knows how far its handler came; what it had not
 * started goes to another shard, or waits in its ring for the thread that replaces it; where a part of its body is gone, it gets 503. Its
 * extents are freed by the control thread, once every HTTP thread has done this.
 */
export function reclaim(shard: number, { side, exchanges, completions, dispatcher }: Reclaimers): void {
  while (completions.reap(shard) > 0);
  for (let slot = side.range.first; slot < side.range.end; slot++) {
    const exchange = exchanges[slot];
    if (exchange.ready) continue;
    if (side.completedBy(slot) === shard) completions.complete(slot, shard);
    else if (side.reclaim(slot, shard)) {
      const isUnstarted = side.startedAt(slot) === SLOT_NO_START;
      // Pieces of a body that was gathered are gone with the thread.
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
 * Passes on what waits for a shard that takes no requests now.
 * @param gaveUp the shard has no thread, or does not get to what it has claimed either: that is passed on too, and what no other
 * shard takes is refused
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
