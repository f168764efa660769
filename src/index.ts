/** LoopShard: many event loops behind one HTTP port. */
export { App, createApp } from './app.js';
export { LoopShardError, type LoopShardErrorCode } from './errors.js';
export type { ErrorHandler, Handler, Params, Query, RouteOptions, ShardRequest, ShardResponse } from './handler.js';
export type { UpgradeListener, UpgradeRequest } from './http/upgrade.js';
export type { Logger, ServeOptions } from './options.js';
export type { ShardCounters } from './pool/counters.js';
export type { DispatchName } from './pool/dispatch.js';
export type { ShardState } from './pool/shard-handle.js';
export { type Server, type ServerState, type ServerStats, serve } from './serve.js';
