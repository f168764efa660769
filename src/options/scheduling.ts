/*
 * The words of scheduling, as options of a server and of its routes: groups, dispatch, priorities, permits, shedding,
 * deadlines.
 */
import type { Method } from './methods.js';

/** Where the key of sticky dispatch comes from: a header field, a cookie, a path parameter or a query parameter, by name. */
export type KeySource = { header: string } | { cookie: string } | { param: string } | { query: string };

/**
 * How a request's shard is chosen.
 *
 * - `least-loaded`: the shard with the fewest outstanding requests; of equals, the next in turn.
 * - `round-robin`: one after the other.
 * - `route-hash`: by method and pattern, so that a route stays on one shard as long as it keeps up.
 * - `{ key }`: by a key of the request, strictly: requests of one key run on one shard and are never stolen. Shards that
 *   are lost or added move their own share of the keys only (rendezvous hashing: Thaler and Ravishankar, "Using name-based
 *   mappings to increase hit rates", 1998). Requests without the key go to the least loaded shard.
 */
export type Dispatch = 'least-loaded' | 'round-robin' | 'route-hash' | { key: KeySource };

/** Who is refused first when there is too much to do: `low` before `normal`; `high` last, and it has slots of its own. */
export type Priority = 'high' | 'normal' | 'low';

/** A request's priority by its method and path. */
export type PriorityFunction = (method: Method, path: string) => Priority;

/** By rank: a number in place of the word. */
export const PRIORITIES = ['high', 'normal', 'low'] as const satisfies readonly Priority[];
export const DISPATCH_NAMES = ['least-loaded', 'round-robin', 'route-hash'] as const;
export const KEY_SOURCES = ['header', 'cookie', 'param', 'query'] as const;

/** Permits that a limiter moves between bounds, by how long handlers take. */
export interface AdaptivePermits {
  /** To begin with. Default 20, or the nearest bound. */
  initial?: number;
  /** Default 4. */
  min?: number;
  /** Default 1,024. */
  max?: number;
}

/** Shedding by age, after CoDel (RFC 8289). */
export interface Shedding {
  /** How long requests may wait in a shard's ring for good. Default 200 ms. */
  targetMs?: number;
  /** How long the wait has to stay above the target before requests are refused. Default 500 ms. */
  intervalMs?: number;
  /** 503, or 429 for those who prefer it. Default 503. */
  status?: 503 | 429;
  /** Value of the refusals' `retry-after`, in seconds. Default 1. */
  retryAfterSeconds?: number;
}

/** Paths that the HTTP thread answers itself, every method alike, for whoever watches the server. */
export interface HealthPaths {
  /** Answers 200 as long as the HTTP thread runs. Default `/livez`. */
  livez?: string;
  /** Answers 200 while the server takes requests, 503 while it drains, lacks shards or sheds for long. Default `/readyz`. */
  readyz?: string;
  /** How long the server may shed before `readyz` says 503, in milliseconds. Default 5,000. */
  shedGraceMs?: number;
}

/** A route's own scheduling. */
export interface RouteScheduling {
  /** The group of shards that runs it. Default `default`. */
  group?: string;
  /** Default: the server's. */
  dispatch?: Dispatch;
  /** Default: what the server's `priority` says, else `normal`. */
  priority?: Priority;
  /**
   * Requests of the route in hand of shards at once, over all shards, 1 to 65,536; further ones wait in front of the rings,
   * where they hold up nobody else. Default: no limit of its own.
   */
  maxConcurrency?: number;
  /** In place of the server's. */
  queueTimeoutMs?: number;
  /** In place of the server's. */
  handlerTimeoutMs?: number;
}

/** Shards with their own queues: `first` is the number of the first of `count` shards. */
export interface Group {
  name: string;
  first: number;
  count: number;
}

export const DEFAULT_GROUP = 'default';

/** Of a shard: how many permits, and the bounds of the limiter, if there is one. */
export interface Permits {
  initial: number;
  adaptive: { min: number; max: number } | undefined;
}

/** Deadlines are kept in microseconds of 31 bits. */
export const MAX_TIMEOUT_MS = 1_800_000;
export const MAX_PERMITS = 65_536;
export const MAX_NICE = 19;

/** The names of RouteScheduling. */
export const ROUTE_SCHEDULING = [
  'group',
  'dispatch',
  'priority',
  'maxConcurrency',
  'queueTimeoutMs',
  'handlerTimeoutMs',
] as const satisfies readonly (keyof RouteScheduling)[];
