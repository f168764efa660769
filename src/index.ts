/** LoopShard: many event loops behind one HTTP port. */
export { App, createApp } from './app.js';
export { LoopShardError, type LoopShardErrorCode } from './errors.js';
export { type EventStreamOptions, eventStream, type ServerSentEvent } from './event-stream.js';
export type { FixedOptions } from './fixed-body.js';
export type { ErrorHandler, Handler, Params, Query, RouteOptions, ShardRequest, ShardResponse } from './handler.js';
export type { UpgradeListener, UpgradeRequest } from './http/connection/upgrade.js';
export type { PriorityFunction } from './http/scheduling/ranking.js';
export type { CompressOptions, Encoding } from './options/compression.js';
export type { Logger, ServeOptions } from './options/options.js';
export type { RequestBodyOptions } from './options/request-body.js';
export type { RequestIdOptions } from './options/request-id.js';
export type {
  AdaptivePermits,
  Dispatch,
  HealthPaths,
  KeySource,
  Priority,
  RouteScheduling,
  Shedding,
} from './options/scheduling.js';
export type { ShardCounters } from './pool/counters.js';
export type { Summary } from './pool/histograms.js';
export type { ShardState } from './pool/shard-handle.js';
export { serve } from './serve.js';
export type { PermitHolder, Server, ServerEvents } from './server.js';
export type { RouteStats, ServerState, ServerStats, ShardStats } from './stats.js';
