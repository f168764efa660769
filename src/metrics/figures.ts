import type { ShardCounters } from '../contract/counters.js';
import type { ExtentStats } from '../contract/extents.js';
import type { HeapSizes, TimeCounts, TimeKind } from '../contract/route-times.js';
import type { Stolen } from '../contract/shard-words.js';
import type { HttpSums } from '../http/http-counts.js';
import type { CountedResponses } from '../http/route-counts.js';
import type { ShardState } from '../pool/shard-life.js';
import type { LoopTimes } from '../pool/shard-thread.js';

/** The times of one route, over all shards. */
export interface RouteTimes extends Record<TimeKind, TimeCounts> {
  /** Such as `GET /users/:id`, or `unmatched`. */
  route: string;
  /** How long other requests have waited because its handlers occupied their event loop, added up, in microseconds. */
  blockedUs: number;
}

/** What metrics show of a shard. */
export interface ShardFigures extends ShardCounters {
  shard: number;
  group: string;
  state: ShardState;
  restarts: number;
  isCircuitOpen: boolean;
  stalled: boolean;
  failedChecks: readonly string[];
  shedding: boolean;
  permits: { available: number; limit: number };
  outstanding: number;
  queued: number;
  /** How long the oldest queued request has waited, in microseconds. */
  waitUs: number;
  /** Undefined while the shard has no thread. */
  loop: LoopTimes | undefined;
  heap: HeapSizes | undefined;
  /** The handler that occupies its event loop since it was called; undefined if none does. */
  running: { route: string; us: number } | undefined;
  /** How many requests it has claimed from the rings of which other shards. */
  stolen: readonly Stolen[];
}

/** Everything that metrics show of a server, at one time. All of it is read without asking another thread. */
export interface MetricFigures {
  isReady: boolean;
  /** Reloads that have switched to new code, and those that failed. */
  reloads: { succeeded: number; failed: number };
  /** Earlier revisions that are finishing their requests. */
  retiring: number;
  connections: number;
  http: HttpSums;
  /** Total number of slots. */
  slots: number;
  extents: readonly ExtentStats[];
  shards: readonly ShardFigures[];
  /** With the number of shards that each has and may have, and how often it has changed since the last reload. */
  groups: readonly { group: string; shards: number; min: number; max: number; grown: number; shrunk: number }[];
  /** Since the start of the server, over all reloads. */
  responses: readonly CountedResponses[];
  times: readonly RouteTimes[];
  /** Routes with `maxConcurrency`. */
  limited: readonly { route: string; available: number; limit: number; waiting: number }[];
}
