/**
 * LoopShard: many event loops behind one HTTP port.
 * @module loopshard
 */

export { type AddRoute, type App, createApp, type ScopeOptions, type UpgradeRouteOptions } from './app/app.js';
export type { CorsOptions } from './app/cors.js';
export { type EventStreamOptions, eventStream, type ServerSentEvent } from './app/event-stream.js';
export type { FilesOptions } from './app/files.js';
export type { FixedOptions } from './app/fixed-body.js';
export type {
  AnyRequest,
  Body,
  ContextEntry,
  CookieOptions,
  ErrorHandler,
  Handler,
  Headers,
  LifecycleListener,
  Middleware,
  Params,
  Query,
  RequestOf,
  RequestSchemas,
  RequestTypes,
  ResponseOf,
  RouteOptions,
  ShardInfo,
  ShardRequest,
  ShardResponse,
} from './app/handler.js';
export type { HealthCheck, HealthCheckInfo, HealthCheckOptions } from './app/health.js';
export type { RefusalOptions } from './app/refusals.js';
export type { RequestEvent } from './app/request-events.js';
export type { ShardUpgradeRequest, UpgradeHandler } from './app/upgrades/upgrade-handler.js';
export type { UpgradeSocket } from './app/upgrades/upgrade-socket.js';
export type { ValidationIssue } from './app/validation.js';
export type { ShardCounters } from './contract/counters.js';
export type { Summary } from './contract/times.js';
export { HttpError, type HttpErrorOptions, LoopShardError, type LoopShardErrorCode } from './errors.js';
export type { HttpModule } from './http/http-module.js';
export type { UpgradeListener, UpgradeRequest } from './http/socket/upgrade.js';
export type { AdminOptions } from './options/admin.js';
export type { CompressOptions, Encoding } from './options/compression.js';
export type { Logger } from './options/logger.js';
export type { UpgradeOptions } from './options/protocols.js';
export type { RequestBodyOptions } from './options/request-body.js';
export type { RequestIdOptions } from './options/request-id.js';
export type {
  AdaptivePermits,
  Dispatch,
  GroupOptions,
  HealthPaths,
  KeySource,
  Priority,
  PriorityFunction,
  RouteScheduling,
  ShardRange,
  Shedding,
} from './options/scheduling.js';
export type {
  LimitOptions,
  MemoryOptions,
  RecoveryOptions,
  SchedulingOptions,
  ServeOptions,
  ThreadOptions,
  TimeoutOptions,
} from './options/serve-options.js';
export type { ServerTiming } from './options/server-timing.js';
export type { TrustProxy } from './options/trust-proxy.js';
export type { ShardState } from './pool/shard-life.js';
export { serve } from './server/serve.js';
export type { PermitHolder, RouteInfo, Server } from './server/server.js';
export type { ServerEvents } from './server/server-events.js';
export type { GroupStats, RouteStats, ServerState, ServerStats, ShardStats } from './server/stats.js';
