import {
  SLOT_CLAIMED_STATE,
  SLOT_COMPLETED_STATE,
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_OWNER_SHIFT,
  SLOT_SUBMITTED_STATE,
} from '../../assembly/layout.js';
import type { ShardPool } from '../pool/shard-pool.js';
import { errorAnswer } from './answers.js';
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
  completions.reap(shard);
  const claimed = SLOT_CLAIMED_STATE | (shard << SLOT_OWNER_SHIFT);
  const completed = SLOT_COMPLETED_STATE | (shard << SLOT_OWNER_SHIFT);
  for (const exchange of exchanges) {
    if (exchange.ready) continue;
    const owner = pool.owner(exchange.slot);
    if (owner === completed) completions.complete(exchange.slot, shard);
    else if (owner === claimed) giveUp(exchange, pool, completions);
    else if (owner === SLOT_SUBMITTED_STATE && exchange.shard === shard) passOn(exchange, pool, completions);
  }
  completions.schedule();
}

function giveUp(exchange: Exchange, pool: ShardPool, completions: Completions): void {
  const flags = pool.core.i32[(pool.slotAddress(exchange.slot) + SLOT_FLAGS_OFFSET) >> 2];
  const answer = errorAnswer('SHARD_LOST', { isHead: (flags & SLOT_HEAD_REQUEST_FLAG) !== 0 });
  completions.completeWith(exchange, answer);
}

function passOn(exchange: Exchange, pool: ShardPool, completions: Completions): void {
  if (exchange.transferred) {
    // Its record was sent to the thread that is gone.
    if (pool.recall(exchange.slot)) giveUp(exchange, pool, completions);
    return;
  }
  const other = pool.pick();
  // Nobody there: it stays in the ring for the thread that replaces this one.
  if (other < 0 || !pool.recall(exchange.slot)) return;
  const { shard } = exchange;
  if (pool.submit(exchange, other)) pool.completed(shard);
  else giveUp(exchange, pool, completions);
}
