import type { ShardState } from '../pool/shard-life.js';
import type { ServerState } from './stats.js';

/** Events emitted by a running server. */
export interface ServerEvents {
  /** The state of the server has changed. */
  state: [state: ServerState];
  /** `revision` is the number of reloads before the shard's code was loaded. */
  shard: [change: { shard: number; group: string; state: ShardState; revision: number }];
  /** New requests go to shards with newly loaded code. */
  reload: [change: { revision: number; routes: number }];
  /** A shard has started or stopped rejecting requests because queued ones have waited too long. */
  shedding: [change: { shard: number; group: string; shedding: boolean }];
  /** A group has had no free permit and no settled handler for `recovery.stalledAfterMs`, or has a free permit again. */
  stalled: [change: { group: string; stalled: boolean }];
  /** The number of shards of a group with a range has changed, because its load has. */
  scaled: [change: { group: string; from: number; to: number }];
  /** A health check of the app has failed on a shard, or passes again. */
  check: [change: { shard: number; group: string; check: string; passes: boolean }];
}
