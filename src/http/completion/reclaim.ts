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
 * started goes to another shard, or waits in its ring for the thread that replaces it.
 */
export function reclaim(shard: number, { side, exchanges, completions, dispatcher }: Reclaimers): void {
  while (completions.reap(shard) > 0);
  for (const exchange of exchanges) {
    const { slot } = exchange;
    if (exchange.ready) continue;
    if (side.completedBy(slot) === shard) completions.complete(slot, shard);
    else if (side.claimedBy(slot) === shard) {
      const isUnstarted = side.isUnstarted(slot);
      if (!side.reclaim(slot, shard)) continue;
      if (isUnstarted) {
        dispatcher.resubmit(exchange, shard);
        continue;
      }
      exchange.ranOn = shard;
      completions.refuse(exchange, 'SHARD_LOST');
    } else if (side.waitsFor(slot) === shard && dispatcher.hasOther(exchange) && dispatcher.recall(exchange)) {
      dispatcher.resubmit(exchange, shard);
    }
  }
  // Last: what was completed has taken its extents with it.
  side.reclaimExtents(shard);
  completions.schedule();
}

/** Answers what waits in the rings of a shard that has no thread. */
export function refuseWaiting(shard: number, { side, exchanges, completions, dispatcher }: Reclaimers): void {
  for (const exchange of exchanges) {
    if (exchange.ready || side.waitsFor(exchange.slot) !== shard) continue;
    if (dispatcher.recall(exchange)) completions.refuse(exchange, 'NO_SHARD');
  }
  completions.schedule();
}

/**
 * Passes on what waits for a shard that takes no requests now, though its thread runs; refuses it where no other shard takes
 * it either.
 * @param gaveUp what the shard has claimed and not started is refused too: the shard does not get to it
 */
export function relieve(shard: number, gaveUp: boolean, reclaimers: Reclaimers): void {
  const { side, exchanges, completions, dispatcher } = reclaimers;
  for (const exchange of exchanges) {
    const { slot } = exchange;
    if (exchange.ready) continue;
    if (side.waitsFor(slot) === shard) {
      const hasOther = dispatcher.hasOther(exchange);
      if (!(hasOther || gaveUp) || !dispatcher.recall(exchange)) continue;
      if (hasOther) dispatcher.resubmit(exchange, shard);
      else completions.refuse(exchange, 'NO_SHARD');
    } else if (gaveUp && side.claimedBy(slot) === shard && side.isUnstarted(slot) && side.revoke(slot)) {
      completions.refuseEarly(exchange, 'NO_SHARD');
    }
  }
  completions.schedule();
}
