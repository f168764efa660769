/*
 * What the page and `loopshard top` get from the admin listener, as JSON. Times are in microseconds where a name ends in `Us`, and points in
 * time in milliseconds since 1970.
 */

/** Requests of one route. */
export interface RouteActivity {
  /** Such as `GET /users/:id`, or `unmatched`. */
  route: string;
  count: number;
  /** How long the oldest of them has waited, or has been in flight. */
  us: number;
}

export interface ActivityList {
  /** Of all routes. */
  count: number;
  /** The 8 routes with the oldest requests, at most. */
  routes: readonly RouteActivity[];
}

/** What a shard is doing. */
export interface ShardView {
  shard: number;
  group: string;
  state: string;
  restarts: number;
  isCircuitOpen: boolean;
  stalled: boolean;
  shedding: boolean;
  permits: { available: number; limit: number };
  /** Handlers called since the start of the server or its last reload. */
  requests: number;
  /** Requests claimed from the rings of other shards, and from which. */
  steals: number;
  stolen: readonly { from: number; count: number }[];
  outstanding: number;
  /** Requests in its rings, and how long the oldest has waited. */
  queued: number;
  waitUs: number;
  streams: number;
  abandoned: number;
  /** Since the start of its thread; undefined while it has none. */
  loop?: { activeMs: number; idleMs: number } | undefined;
  heap?: { used: number; limit: number } | undefined;
  /** The handler that occupies its event loop, as far as it was called and has not awaited anything. */
  running?: { route: string; us: number } | undefined;
  inFlight: ActivityList;
  /** In its rings, or claimed and not started. */
  waiting: ActivityList;
}

export interface ServerView {
  state: string;
  /** Undefined if it is ready. */
  whyNotReady?: string | undefined;
  revision: number;
  retiring: number;
  connections: number;
  hasMetrics: boolean;
}

/** The event `activity`, four times a second, and `GET /activity`. */
export interface Activity {
  at: number;
  server: ServerView;
  shards: readonly ShardView[];
}

/** A second of the server. */
export interface Sample {
  at: number;
  /** Responses of any kind. */
  requestsPerS: number;
  /** From submission until the handler has settled; null if none has. */
  p50Us: number | null;
  p99Us: number | null;
}

/** The event `history`, once after the connection, and `GET /history`: the samples of ten minutes, oldest first. */
export type History = { [Name in keyof Sample]: Sample[Name][] };

/** A route during the last ten minutes, or since the server has started. */
export interface RouteView {
  route: string;
  requests: number;
  requestsPerS: number;
  /** Times of handlers. */
  p50Us: number;
  p99Us: number;
  /** How long a request occupies the event loop. */
  loopMeanUs: number;
  loopP99Us: number;
  /** How long other requests have waited because of it, added up. */
  blockedUs: number;
  /** What to do about it, as Markdown with code only. */
  hint?: string | undefined;
}

/** The event `overview`, once a second, and `GET /overview`. */
export interface Overview {
  at: number;
  /** Of the last second; undefined in the first one. */
  sample?: Sample | undefined;
  slots: { free: number; total: number };
  /** Requests rejected for lack of room or time, since the server has started. */
  refused: number;
  /** What `routes` covers. */
  windowMs: number;
  /** By `blockedUs`, then by their time on event loops; 100 at most. */
  routes: readonly RouteView[];
  /** Routes that are not listed. */
  otherRoutes: number;
}
