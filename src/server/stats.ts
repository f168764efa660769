import type { ShardCounters } from '../contract/counters.js';
import type { ExtentStats } from '../contract/extents.js';
import type { Summary } from '../contract/times.js';
import type { Reason } from '../http/answers.js';
import type { ShardState } from '../pool/shard-life.js';

export type ServerState = 'starting' | 'ready' | 'draining' | 'closed' | 'failed';

/** A moment's figures of a shard. */
export interface ShardStats extends Omit<ShardCounters, 'shortMeanUs' | 'longMeanUs'> {
  shard: number;
  group: string;
  state: ShardState;
  /** Times another thread took over. */
  restarts: number;
  /** Its threads have ended so often (`recovery.maxRestarts`) that only one every 10 s is started. */
  isCircuitOpen: boolean;
  /** Requests that were given to the shard and are not answered, waiting ones included. */
  outstanding: number;
  /** Requests that wait in its rings. */
  queued: number;
  /** How long the oldest of them has waited, in milliseconds. */
  queueAgeMs: number;
  permits: { available: number; limit: number };
  /** Of adaptive permits: between which bounds they move, and what they go by, mean handler times in microseconds. */
  limiter: { min: number; max: number; shortMeanUs: number; longMeanUs: number } | undefined;
  /** Requests are being refused because others wait for too long. */
  shedding: boolean;
  /** All permits of its group are taken, and nothing has settled for `recovery.stalledAfterMs`. */
  stalled: boolean;
  /** Requests that were claimed at once, since the thread was started. */
  batchSize: Summary;
  /** From submission to the start of the handler, in microseconds, since the thread was started. */
  queueTime: Summary;
  /** From the start of the handler until it settled, in microseconds, since the thread was started. */
  handlerTime: Summary;
}

/** A moment's figures of a route with `maxConcurrency`. */
export interface RouteStats {
  /** Such as `GET /report`. */
  route: string;
  permits: { available: number; limit: number };
  /** Requests that wait for a permit. */
  waiting: number;
}

/** A moment's figures of a server. */
export interface ServerStats {
  state: ServerState;
  /** HTTP threads that have answered; of a server that is closed, those that had. */
  httpThreads: number;
  connections: number;
  /** Connections that were closed at once, because there were `limits.maxConnections`. */
  connectionsRefused: number;
  /** Answers that shards owe. */
  outstanding: number;
  slots: { free: number; total: number };
  /** Extents by size: pieces of shared memory for messages that are larger than a slot. */
  extents: ExtentStats[];
  /** Completions that no doorbell announced. Zero, or there is a bug. */
  lostWakeUps: number;
  /** Requests that the HTTP thread refused for want of room or time, by the code in the answer. */
  refused: Partial<Record<Reason, number>>;
  shards: ShardStats[];
  /** All routes of the app; 0 until it is loaded. */
  routeCount: number;
  /** Routes with `maxConcurrency`. */
  routes: RouteStats[];
}
