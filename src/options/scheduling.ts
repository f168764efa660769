/* Options of scheduling, for a server and its routes: groups, dispatch, priorities, permits, shedding, deadlines. */
import { MAX_SHARDS } from '../../assembly/layout.js';
import type { Method } from './methods.js';

/** The header, cookie, path parameter or query parameter, by name, whose value is the key of sticky dispatch. */
export type KeySource = { header: string } | { cookie: string } | { param: string } | { query: string };

/**
 * How a request's shard is chosen.
 *
 * - `least-loaded`: the shard with the fewest outstanding requests; among equals, the next in turn.
 * - `round-robin`: each shard in turn.
 * - `route-hash`: by method and pattern, so that a route stays on one shard while that shard keeps up.
 * - `{ key }`: by a key of the request. All requests with the same key run on one shard and are never stolen. When a shard
 *   is lost or added, only its share of the keys moves (rendezvous hashing: Thaler and Ravishankar, "Using name-based
 *   mappings to increase hit rates", 1998). Requests without the key go to the least-loaded shard.
 */
export type Dispatch = 'least-loaded' | 'round-robin' | 'route-hash' | { key: KeySource };

/** Under overload `low` is rejected first, then `normal`, and `high` last. Some slots are reserved for `high`. */
export type Priority = 'high' | 'normal' | 'low';

/** Returns the priority of a request by its method and path. HTTP thread only. */
export type PriorityFunction = (method: Method, path: string) => Priority;

/** By rank: shared memory stores the index. */
export const PRIORITIES = ['high', 'normal', 'low'] as const satisfies readonly Priority[];
export const DISPATCH_NAMES = ['least-loaded', 'round-robin', 'route-hash'] as const;
export const KEY_SOURCES = ['header', 'cookie', 'param', 'query'] as const;

/** Bounds within which a limiter adjusts the permits of each shard to how long handlers take. */
export interface AdaptivePermits {
  /** Permits at the start, `min` to `max`. Default 20, or the nearest bound. */
  initial?: number;
  /** Fewest permits, 1 to 65,536. Default 4. */
  min?: number;
  /** Most permits, 1 to 65,536. Default 1,024. */
  max?: number;
}

/** Rejects requests while others have been queued for too long, after CoDel (RFC 8289). */
export interface Shedding {
  /** Acceptable time in the queue of a shard, 1 to 60,000 ms. Default 200. */
  targetMs?: number;
  /** How long the wait must stay above the target before shedding starts, `targetMs` to 600,000 ms. Default 500, or `targetMs`. */
  intervalMs?: number;
  /** Status of rejected requests: 503 or 429. Default 503. */
  status?: 503 | 429;
  /** Their `retry-after`, 0 to 86,400 seconds. Default 1. */
  retryAfterSeconds?: number;
}

/** Default of `health.shedGraceMs`. */
export const DEFAULT_SHED_GRACE_MS = 5_000;

/** Health checks. The HTTP thread responds to them itself, for any method. */
export interface HealthPaths {
  /** Path that returns 200 while the HTTP thread runs. Default `/livez`. */
  livez?: string;
  /**
   * Path that returns 200 while the server accepts requests, and 503 if it drains, lacks shards, sheds for long, or health checks of the app
   * fail. Default `/readyz`.
   */
  readyz?: string;
  /** How long the server may shed before `readyz` returns 503, 0 to 3,600,000 ms. Default 5,000. */
  shedGraceMs?: number;
}

/** Scheduling of a route. */
export interface RouteScheduling {
  /** The group of shards that runs the route. Default `default`. */
  group?: string;
  /** How the shard of a request is chosen. Default: `scheduling.dispatch` of the server. */
  dispatch?: Dispatch;
  /** Default: what `scheduling.priority` of the server returns, otherwise `normal`. */
  priority?: Priority;
  /**
   * Requests of the route in flight over all shards, 1 to 65,536. Further ones wait in their own queue, so they do not
   * hold back other routes. Default: unlimited.
   */
  maxConcurrency?: number;
  /** Overrides `timeouts.queueTimeoutMs` of the server, 1 to 1,800,000 ms. */
  queueTimeoutMs?: number;
  /** Overrides `timeouts.handlerTimeoutMs` of the server, 1 to 1,800,000 ms. */
  handlerTimeoutMs?: number;
}

/** How many shards a group has: as many as its load needs, within these bounds. */
export interface ShardRange {
  /** Fewest shards, at least 1; as many are started. */
  min: number;
  /** Most shards, at least `min`. Their memory is reserved at the start, and not touched before they run. */
  max: number;
  /** How long the load must have been low before a shard ends, 100 to 86,400,000 ms. Default 30,000. */
  shrinkAfterMs?: number;
}

/** A group of shards with its own queues. */
export interface GroupOptions {
  /** How many shards it has, 1 to 64. */
  shards: number | ShardRange;
  /** Overrides `recovery.stuckAfterMs`, 0 to 2,147,483,647 ms: 0 for a group whose handlers compute for long. */
  stuckAfterMs?: number;
  /** Overrides `recovery.killStuckAfterMs`, 0 to 2,147,483,647 ms. */
  killStuckAfterMs?: number;
}

/** When a shard counts as stuck, and when it is terminated. Milliseconds; 0 disables either. */
export interface StuckLimits {
  stuckAfterMs: number;
  killStuckAfterMs: number;
}

/**
 * The numbers of a group's shards: `count` of them, from `first` on. `least` to `most` shards run at a time; the other numbers are for the
 * replacements of shards that still run.
 */
export interface Group extends StuckLimits {
  name: string;
  first: number;
  count: number;
  least: number;
  most: number;
  /** How long the load must have been low before a shard ends, in milliseconds. */
  shrinkAfterMs: number;
}

/** How many shards of all groups may run at a time. */
export function mostShards(groups: readonly Group[]): number {
  return groups.reduce((sum, { most }) => sum + most, 0);
}

/** Shards that may run, over all groups. */
export const MOST_SHARDS = MAX_SHARDS / 2;

export const DEFAULT_GROUP = 'default';

/** Permits of each shard, and the bounds of the adaptive limiter, if any. */
export interface Permits {
  initial: number;
  adaptive: { min: number; max: number } | undefined;
}

/** Longest time of most options, in milliseconds: that of timers. */
export const MAX_MS = 2 ** 31 - 1;
/** Limited because deadlines are stored as 31-bit microseconds. */
export const MAX_TIMEOUT_MS = 1_800_000;
export const MAX_PERMITS = 65_536;
export const MAX_NICE = 19;

/** Keys of `RouteScheduling`. */
export const ROUTE_SCHEDULING = [
  'group',
  'dispatch',
  'priority',
  'maxConcurrency',
  'queueTimeoutMs',
  'handlerTimeoutMs',
] as const satisfies readonly (keyof RouteScheduling)[];
