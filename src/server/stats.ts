import type { ShardCounters } from '../contract/counters.js';
import type { ExtentStats } from '../contract/extents.js';
import type { Summary } from '../contract/times.js';
import type { Reason } from '../http/answers.js';
import type { ShardState } from '../pool/shard-life.js';

/** Phase in the life of a server. */
export type ServerState = 'starting' | 'ready' | 'draining' | 'closed' | 'failed';

/** Current figures of a shard. */
export interface ShardStats extends Omit<ShardCounters, 'shortMeanUs' | 'longMeanUs'> {
  /** Its number, counted from 0. */
  shard: number;
  /** Name of its group. */
  group: string;
  /** Phase in its life. */
  state: ShardState;
  /** How often the shard's thread was replaced. */
  restarts: number;
  /** Whether its threads have ended so often (`recovery.maxRestarts`) that only one every 10 s is started. */
  isCircuitOpen: boolean;
  /** Requests submitted to the shard and not given back, including queued ones. */
  outstanding: number;
  /** Requests in its rings that are not claimed yet. */
  queued: number;
  /** How long the oldest of them has waited, in milliseconds. */
  queueAgeMs: number;
  /** Permits that are free, and how many there are. */
  permits: { available: number; limit: number };
  /** Of adaptive permits: their bounds, and the mean handler times that the limiter uses, in microseconds. */
  limiter: { min: number; max: number; shortMeanUs: number; longMeanUs: number } | undefined;
  /** Whether the shard rejects requests because queued ones have waited too long. */
  shedding: boolean;
  /** Whether its group has had no free permit and no settled handler for `recovery.stalledAfterMs`. */
  stalled: boolean;
  /** Names of the app's health checks (`app.health`) that fail on the shard. */
  failedChecks: string[];
  /** Requests per claim, since the thread was started. */
  batchSize: Summary;
  /** Time from submission to the start of the handler, in microseconds, since the thread was started. */
  queueTime: Summary;
  /** Time from the start of the handler until it settled, in microseconds, since the thread was started. */
  handlerTime: Summary;
}

/** Current figures of a route with `maxConcurrency`. */
export interface RouteStats {
  /** Method and pattern, such as `GET /report`. */
  route: string;
  /** Permits that are free, and how many there are: `maxConcurrency`. */
  permits: { available: number; limit: number };
  /** Requests that wait for a permit. */
  waiting: number;
}

/** How many shards a group has. */
export interface GroupStats {
  /** Name of the group. */
  group: string;
  /** Shards that run or start, without those that are leaving. */
  shards: number;
  /** Fewest shards that it may have. */
  min: number;
  /** Most shards that it may have. */
  max: number;
  /** How often a shard was added because of the load, since the start or the last reload. */
  grown: number;
  /** How often one was removed. */
  shrunk: number;
}

/** Current figures of a server. */
export interface ServerStats {
  /** Phase in the life of the server. */
  state: ServerState;
  /** Number of reloads before the current code was loaded. */
  revision: number;
  /** Earlier revisions that are finishing their requests, or whose responses clients have not read. */
  retiring: number;
  /** HTTP threads that have replied; of a closed server, those that had replied last. */
  httpThreads: number;
  /** Open connections. */
  connections: number;
  /** Connections closed immediately because `limits.maxConnections` was reached. */
  connectionsRefused: number;
  /** Requests submitted to shards and not given back. */
  outstanding: number;
  /** Slots that are free, and how many there are. */
  slots: { free: number; total: number };
  /** Extents by size: pieces of shared memory for messages larger than a slot. */
  extents: ExtentStats[];
  /** Completions that no doorbell announced. Zero unless LoopShard has a bug. */
  lostWakeUps: number;
  /**
   * How often HTTP threads have paused for up to a millisecond, because all shards were busy and more requests could only wait. Many
   * pauses mean that the server is saturated.
   */
  pauses: number;
  /** Requests that the HTTP thread rejected for lack of room or time, by the code in the response. */
  refused: Partial<Record<Reason, number>>;
  /** Threads of shards, also of other revisions than the current one. After `close()`, those in native code, which cannot be stopped. */
  threads: number;
  /** Figures of each shard. */
  shards: ShardStats[];
  /** Figures of each group of shards. */
  groups: GroupStats[];
  /** Number of all routes of the app; 0 until it is loaded. */
  routeCount: number;
  /** Routes with `maxConcurrency`. */
  routes: RouteStats[];
}
