import {
  SLOT_CLAIMED_STATE,
  SLOT_COMPLETED_STATE,
  SLOT_OWNER_SHIFT,
  SLOT_SUBMITTED_STATE,
} from '../../assembly/layout.js';
import type { ShardPool } from '../pool/shard-pool.js';
import { errorAnswer, type Reason } from './answers.js';
import type { Completions } from './completions.js';
import type { Exchange } from './exchange.js';

/**
 * Takes back what a shard had in hand; only once its thread has exited, because until then its slots are its own.
 * What it had completed is sent; what it had claimed gets 502, as nobody knows how far its handler came; what it had not
 * claimed goes to another shard, or waits in its ring for the thread that replaces it.
 */
export function reclaim(
  shard: number,
  pool: ShardPool,
  exchanges: readonly Exchange[],
  completions: Completions,
): void {
  while (completions.reap(shard) > 0);
  const submitted = SLOT_SUBMITTED_STATE | (shard << SLOT_OWNER_SHIFT);
  const claimed = SLOT_CLAIMED_STATE | (shard << SLOT_OWNER_SHIFT);
  const completed = SLOT_COMPLETED_STATE | (shard << SLOT_OWNER_SHIFT);
  for (const exchange of exchanges) {
    if (exchange.ready) continue;
    const owner = pool.owner(exchange.slot);
    if (owner === completed) completions.complete(exchange.slot, shard);
    else if (owner === claimed) giveUp(exchange, pool, completions, 'SHARD_LOST');
    else if (owner === submitted) passOn(exchange, pool, completions);
  }
  completions.schedule();
}

/** Answers what waits in the ring of a shard that has no thread. */
export function refuseWaiting(
  shard: number,
  pool: ShardPool,
  exchanges: readonly Exchange[],
  completions: Completions,
): void {
  for (const exchange of exchanges) {
    if (!exchange.ready && pool.recall(exchange.slot, shard)) giveUp(exchange, pool, completions, 'NO_SHARD');
  }
  completions.schedule();
}

function giveUp(exchange: Exchange, pool: ShardPool, completions: Completions, reason: Reason): void {
  completions.completeWith(exchange, errorAnswer(reason, { isHead: pool.isHead(exchange.slot) }));
}

function passOn(exchange: Exchange, pool: ShardPool, completions: Completions): void {
  if (exchange.transferred) {
    // Its record was sent to the thread that is gone.
    if (pool.recall(exchange.slot, exchange.shard)) giveUp(exchange, pool, completions, 'NO_SHARD');
    return;
  }
  const other = pool.pick();
  // Nobody there: it stays in the ring for the thread that replaces this one.
  if (other < 0 || !pool.recall(exchange.slot, exchange.shard)) return;
  if (!pool.submit(exchange.slot, other)) return giveUp(exchange, pool, completions, 'NO_SLOT');
  pool.completed(exchange.shard);
  exchange.shard = other;
}
