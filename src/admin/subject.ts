import type { Readable } from 'node:stream';
import type { MetricFigures } from '../metrics/figures.js';
import type { RoutePlace } from './hints.js';
import type { Activity } from './wire.js';

export interface WhyNotReady {
  reason: string;
  checks?: readonly string[];
}

/** The server, as the admin listener sees it. Control thread. */
export interface AdminSubject {
  /** Metrics in Prometheus' text format. @throws LoopShardError METRICS_DISABLED */
  metrics(): Promise<string>;
  /** Whether the server counts metrics. */
  readonly hasMetrics: boolean;
  /** What metrics are made of: at one time, without asking other threads. @throws LoopShardError METRICS_DISABLED */
  figures(): MetricFigures;
  /** What the shards are doing, also without metrics. */
  activity(): Activity;
  /** The routes that run on shards. */
  readonly routes: readonly RoutePlace[];
  stats(): object;
  /** Why the server is not ready, and the names of the app's health checks that have failed; undefined if it is ready. */
  whyNotReady(): WhyNotReady | undefined;
  /**
   * The share of permits that are free, from 0 to 1, averaged over the groups. A queued request counts as a taken permit, and shards that are
   * not ready have no free ones.
   */
  freePermits(): number;
  /** The numbers of the shards that run. */
  readonly shards: readonly number[];
  /** @throws LoopShardError as `Server.reload` */
  reload(): Promise<void>;
  /** Returns the number of the new shard. @throws LoopShardError as `Server.restartShard` */
  restartShard(shard: number): Promise<number>;
  /** @throws LoopShardError OPTION_INVALID */
  setPermits(permits: number, of: unknown): void;
  /**
   * Records a CPU profile of a shard, which may be busy.
   * @param stop ends the recording early
   * @returns the profile as JSON
   * @throws LoopShardError PROFILE_FAILED, SHARD_NOT_READY
   */
  cpuProfile(shard: number, seconds: number, stop: AbortSignal): Promise<string>;
  /** Takes a heap snapshot of a shard, which is blocked meanwhile. @throws LoopShardError SHARD_NOT_READY */
  heapSnapshot(shard: number): Promise<Readable>;
  /**
   * Calls `listener` with each event of the server.
   * @returns the function that ends this
   */
  listen(listener: (name: string, data: unknown) => void): () => void;
}
