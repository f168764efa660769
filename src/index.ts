/** LoopShard: many event loops behind one HTTP port. */
export { App, createApp } from './app.js';
export type { CompressOptions, Encoding } from './compression.js';
export { LoopShardError, type LoopShardErrorCode } from './errors.js';
export { type EventStreamOptions, eventStream, type ServerSentEvent } from './event-stream.js';
export type { FixedOptions } from './fixed-body.js';
export type { ErrorHandler, Handler, Params, Query, RouteOptions, ShardRequest, ShardResponse } from './handler.js';
export type { PriorityFunction } from './http/ranking.js';
export type { UpgradeListener, UpgradeRequest } from './http/upgrade.js';
export type { Logger, ServeOptions } from './options.js';
export type { ShardCounters } from './pool/counters.js';
export type { Summary } from './pool/histograms.js';
export type { ShardState } from './pool/shard-handle.js';
export type { RequestIdOptions } from './request-id.js';
export type {
  AdaptivePermits,
  Dispatch,
  HealthPaths,
  KeySource,
  Priority,
  RouteScheduling,
  Shedding,
} from './scheduling.js';
export { serve } from './serve.js';
export type { PermitHolder, Server, ServerEvents } from './server.js';
export type { RouteStats, ServerState, ServerStats, ShardStats } from './stats.js';
