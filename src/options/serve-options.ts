/* Generated from table.ts by `npm run generate`: edit the table. */
import type { TlsOptions } from 'node:tls';
import type { AdminOptions } from './admin.js';
import type { CompressOptions } from './compression.js';
import type { Logger } from './logger.js';
import type { RequestIdOptions } from './request-id.js';
import type {
  AdaptivePermits,
  Dispatch,
  GroupOptions,
  HealthPaths,
  PriorityFunction,
  ShardRange,
  Shedding,
} from './scheduling.js';
import type { ServerTiming } from './server-timing.js';
import type { TrustProxy } from './trust-proxy.js';

/** Options of `serve()`. */
export interface ServeOptions {
  /** Port to listen on; 0 takes a free one. Range: 0 to 65,535. Default: 8000. */
  port?: number;
  /**
   * Address to listen on. `::` is all addresses of IPv6, and of IPv4 too unless `ipv6Only` is set. Default:
   * `127.0.0.1`.
   */
  host?: string;
  /** With host `::`, do not listen on IPv4. Default: `false`. */
  ipv6Only?: boolean;
  /** Unix socket to listen on, instead of a port. A named pipe on Windows. */
  path?: string;
  /** Inherited descriptor that already listens. Instead of `host` and `port`. */
  fd?: number;
  /**
   * Key and certificate: serves HTTPS. Takes the options of `tls.createServer`. ALPN is always `http/1.1`;
   * `handshakeTimeout` is `timeouts.headersTimeoutMs` unless set. `server.setSecureContext()` replaces the certificate.
   */
  tls?: TlsOptions;
  /**
   * Worker threads that run handlers. At least two by default, even on one core, so that one slow handler does not hold
   * back the others. `{ min: 2, max: 8 }`: as many as the load needs (docs/healing.md). With 0, handlers of all groups
   * run in the calling thread, for use with a debugger. Up to 64. Default: number of cores, from 2 to 16.
   */
  shards?: number | ShardRange;
  /**
   * Shards by group, instead of `shards`. For example `{ default: 2, cpu: 2 }`, or `{ default: { min: 2, max: 8 } }` in
   * place of a number. `{ shards: 2, stuckAfterMs: 0 }` also sets when its shards count as stuck. Each group has its
   * own shards, slots and queues, in proportion: a saturated group does not affect the others. Routes choose their
   * group with `group`.
   */
  groups?: Record<string, number | ShardRange | GroupOptions>;
  /**
   * Threads that listen, parse and respond. The kernel spreads connections over them. With 1, the thread that calls
   * `serve()` is the HTTP thread; with more, each is a worker. More than 1 needs Linux, Node.js 22.12 or later, and
   * `host` and `port`. By default two thirds of the cores, at most 11; but 1 on fewer than four cores, where several
   * are not possible, or if an option is a function that runs on HTTP threads. Range: 1 to 64. Default: depends on the
   * cores.
   */
  httpThreads?: number;
  /**
   * Module with the functions that run on HTTP threads. It may export `priority`, `onUpgrade`, `upgradeOptions`, and
   * `tls` with `SNICallback` and `pskCallback`. With several HTTP threads, functions can only be passed this way.
   */
  httpModule?: URL | string;
  /**
   * Respond to `/livez` and `/readyz`. The HTTP thread does so itself. An object sets the paths `livez` and `readyz`,
   * and `shedGraceMs` (default 5,000): how long the server may shed before `/readyz` returns 503. `app.health()` adds
   * checks to `/readyz`. Default: `false`.
   */
  health?: boolean | HealthPaths;
  /**
   * Compress responses with br, zstd or gzip. Shards compress them, for clients that accept it. An object sets
   * `thresholdBytes` (default 1,024), `types` and `encodings`. Routes can override it. Default: `false`.
   */
  compress?: boolean | CompressOptions;
  /**
   * Take request IDs from `x-request-id`, or generate UUIDs. `req.id` is the client's if that is 1 to 128 visible ASCII
   * characters, otherwise a UUID. Logs and responses of handlers contain it too. `{ header: 'x-correlation-id' }` uses
   * another header. With `false`, the server generates `req.id`. Default: `false`.
   */
  requestId?: boolean | RequestIdOptions;
  /**
   * Proxies whose `x-forwarded-*` headers describe the client. For `req.ip`, `req.ips`, `req.protocol`, `req.host` and
   * the access log. `true` trusts all proxies; a number trusts that many in front of the server; a string or an array
   * lists addresses and subnets, or `loopback`, `linklocal` and `uniquelocal`. Default: `false`.
   */
  trustProxy?: TrustProxy;
  /**
   * Log a line for each response. Written when the response was sent or its client disconnected: method, target,
   * status, bytes, duration, ID and address, at level `info`. Default: `false`.
   */
  accessLog?: boolean;
  /**
   * Lowest level that is logged. Applies without the option `logger`. Default: `info` with `accessLog`, otherwise
   * `warn`.
   */
  logLevel?: 'info' | 'warn' | 'error' | 'silent';
  /**
   * An object with the methods `error`, `warn` and `info`. By default pino, to standard error: readable lines on a
   * terminal, otherwise JSON. Default: pino to stderr.
   */
  logger?: Logger;
  /**
   * Listener for a page that shows the shards at work, metrics, reloads and profiles, such as `{ port: 9000 }`. Off by
   * default. Listens on 127.0.0.1 unless `host` is set; other machines need `token`, which may also come from the
   * environment variable `LOOPSHARD_ADMIN_TOKEN`. See docs/admin.md.
   */
  admin?: AdminOptions;
  /**
   * Count requests and times by route, for `server.metrics()`. For example for Prometheus. docs/metrics.md lists the
   * metrics and says what counting costs. Default: `true`.
   */
  metrics?: boolean;
  /**
   * Trace requests if the app registers an OpenTelemetry SDK. docs/traces.md says what a span contains, and what
   * tracing costs. Default: `true`.
   */
  traces?: boolean;
  /**
   * Send `server-timing` with the times of a request, to all clients or some. Time in the queue, in the handler, and in
   * total, for the developer tools of browsers. They tell attackers about the load and the data: in production, list
   * the addresses and subnets of clients that may see them, or `loopback`, `linklocal` and `uniquelocal`, in an array
   * or a string. The client is `req.ip`. Default: `false`.
   */
  serverTiming?: ServerTiming;
  /**
   * Abort `req.signal` when a client ends its side. Most clients that end their side of the connection are gone, but
   * some have only finished sending and still wait for the response. The server cannot tell them apart. With either
   * value, `req.signal` is aborted once a response cannot be sent. Default: `false`.
   */
  abortOnHalfClose?: boolean;
  /** What a client may send, receive and hold. */
  limits?: LimitOptions;
  /** How long each step may take, in milliseconds. */
  timeouts?: TimeoutOptions;
  /** Which shard runs a request, when, and what happens under overload. */
  scheduling?: SchedulingOptions;
  /** The shared memory, which is reserved at the start. */
  memory?: MemoryOptions;
  /** What happens to shards that fail or hang. */
  recovery?: RecoveryOptions;
  /** How each shard's thread is started. */
  threads?: ThreadOptions;
}

/** What a client may send, receive and hold. */
export interface LimitOptions {
  /**
   * Largest request body; larger ones get 413. Routes with `body: 'stream'` have their own limit. Range: 0 to
   * 1,073,741,824. Default: 1 MiB.
   */
  maxBodyBytes?: number;
  /**
   * Largest response body; larger ones become 500. Streams have no limit. Range: 0 to 2,147,483,647. Default: 64 MiB.
   */
  maxResponseBytes?: number;
  /** Longest request target; longer ones get 414. Range: 1 to 32,768. Default: 8,192. */
  maxTargetBytes?: number;
  /** Largest request head, target included; larger ones get 431. Range: 256 to 65,535. Default: 24,576. */
  maxHeadBytes?: number;
  /** Headers of a request; more get 431. Range: 1 to 256. Default: 100. */
  maxHeaderFields?: number;
  /** Open connections; further ones are closed immediately. Range: 1 to 1,048,576. Default: 16,384. */
  maxConnections?: number;
  /**
   * Responses that each shard streams at once; further ones get 503. For example Server-Sent Events. A stream uses a
   * socket, but neither a permit nor a slot. Reaching the limit is logged. Range: 1 to 1,048,576. Default: 16,384.
   */
  maxStreams?: number;
  /** Requests before a connection is closed; 0 disables the limit. Range: 0 to 2,147,483,647. Default: 0. */
  maxRequestsPerConnection?: number;
  /**
   * Bytes buffered for a slow client before the server stops reading its requests. Range: 0 to 2,147,483,647. Default:
   * 1 MiB.
   */
  maxBufferedBytes?: number;
}

/** How long each step may take, in milliseconds. */
export interface TimeoutOptions {
  /**
   * Time to receive a request head; then 408. Counts from the first byte of the head. A new connection that sends
   * nothing is closed after the same time. Range: 1 to 2,147,483,647. Default: 10,000.
   */
  headersTimeoutMs?: number;
  /**
   * Time to receive a whole request, or the next byte of a streamed body; then 408. Counts from the first byte of the
   * request. While others wait for shared memory (`memory.extentBytes`), a body that occupies it has to arrive at 64
   * KiB in 5 s. Range: 1 to 2,147,483,647. Default: 60,000.
   */
  requestTimeoutMs?: number;
  /** How long a connection may be idle between requests. Range: 1 to 2,147,483,647. Default: 65,000. */
  keepAliveTimeoutMs?: number;
  /**
   * How long a client may stop reading its response. Then its connection is dropped. While others wait for shared
   * memory (`memory.extentBytes`), that happens after 5 s. Range: 1 to 2,147,483,647. Default: 30,000.
   */
  sendTimeoutMs?: number;
  /**
   * How long the server discards input after the last response of a connection. At most 64 MiB, and only while bytes
   * arrive. This lets a client that is still sending read an early response, such as 413. Range: 1 to 2,147,483,647.
   * Default: 30,000.
   */
  lingerTimeoutMs?: number;
  /**
   * Requests not started within this time get 503; 0 disables the timeout. Routes can override it. Range: 0 to
   * 1,800,000. Default: 0.
   */
  queueTimeoutMs?: number;
  /**
   * Requests whose handler has not settled within this time get 504; 0 disables the timeout. Their `req.signal` is
   * aborted, their permit and slot are released, `req` and `res` no longer have any effect, and the handler counts as
   * abandoned until it settles (`recovery.maxAbandoned`). For a stream, the time until its first chunk counts. Routes
   * can override it. Range: 0 to 1,800,000. Default: 0.
   */
  handlerTimeoutMs?: number;
  /**
   * How long a shard may take to start and load the module; 0 disables the timeout. Then its thread is terminated and
   * another one is started. Range: 0 to 2,147,483,647. Default: 60,000.
   */
  startTimeoutMs?: number;
  /** How long `close()` waits for open requests. Then it drops them. Range: 0 to 2,147,483,647. Default: 10,000. */
  closeTimeoutMs?: number;
  /**
   * How long `/readyz` returns 503 before the server stops accepting connections. A load balancer can remove the server
   * during this time. Responses close their connections, spread over the time, so that clients do not all reconnect
   * elsewhere at once. Idle connections stay open until their next request or the end of the delay. Range: 0 to
   * 2,147,483,647. Default: 0.
   */
  drainDelayMs?: number;
}

/** Which shard runs a request, when, and what happens under overload. */
export interface SchedulingOptions {
  /**
   * Handlers in flight on each shard, or `adaptive`. 1 to 65,536. With `adaptive`, a limiter adjusts the number to how
   * long handlers take; an object sets its bounds: `{ initial: 20, min: 4, max: 1024 }`. Default: 512.
   */
  permits?: number | 'adaptive' | AdaptivePermits;
  /** Requests that a shard claims at once, at most. Range: 1 to 1,024. Default: 256. */
  batch?: number;
  /**
   * Requests queued for each shard; further ones get 503. At least `batch`. It also limits the queue of each route with
   * `maxConcurrency`, which holds at most half of the slots of its group. Requests of low priority get 503 when the
   * queue is half full. Range: 1 to 65,536. Default: 4,096.
   */
  maxQueue?: number;
  /**
   * `least-loaded`, `round-robin`, `route-hash`, or by key. How the shard of a request is chosen within its group. A
   * key keeps requests together: `{ key: { header: 'x-user' } }`. Default: `least-loaded`.
   */
  dispatch?: Dispatch;
  /** Idle shards take queued requests of other shards in their group. Default: `true`. */
  steal?: boolean;
  /**
   * Reject requests while others have been queued for too long. An object sets `targetMs` (default 200), `intervalMs`
   * (500), `status` (503, or 429) and `retryAfterSeconds` (1). Default: `false`.
   */
  shed?: boolean | Shedding;
  /**
   * A function `(method, path) => 'high' | 'normal' | 'low'`. For requests whose route has no `priority`. The path is
   * not decoded. Runs on the HTTP thread and blocks it, so keep it fast. Default: all are `normal`.
   */
  priority?: PriorityFunction;
  /**
   * Niceness of shards, 0 to 19, or by group; Linux only. Shards with a higher number give way to other threads, as
   * with `nice`. By group: `{ cpu: 19 }`. Default: 0.
   */
  shardNice?: number | Record<string, number>;
  /** How idle shards sleep: `async`, or `sync` for handlers without timers or sockets. Default: `async`. */
  park?: 'async' | 'sync';
}

/** The shared memory, which is reserved at the start. */
export interface MemoryOptions {
  /**
   * Requests the server holds at once, queued ones included; further ones get 503. Range: 2 to 65,536. Default: 4,096.
   */
  slots?: number;
  /**
   * Shared memory of each slot; larger messages use extents. A request uses at most half of its slot, and its response
   * the rest. Range: 2,048 to 1,048,576. Default: 16,384.
   */
  slotBytes?: number;
  /**
   * Shared memory for larger messages; physical memory only as it is used. When all of it is in use, request bodies are
   * not read and responses wait. Range: 2,097,152 to 1,073,741,824. Default: 384 MiB.
   */
  extentBytes?: number;
}

/** What happens to shards that fail or hang. */
export interface RecoveryOptions {
  /**
   * Restarts of a shard within 10 s before its circuit opens; 0 disables the limit. While the circuit is open, requests
   * go to other shards and only one thread is started every 10 s, until one has lived that long. If the circuits of all
   * shards of a group are open, its requests get 503, and `/readyz` says so. Range: 0 to 1,000,000. Default: 5.
   */
  maxRestarts?: number;
  /**
   * Abandoned handlers of a shard before it is replaced; 0 disables the limit. A handler is abandoned if it has not
   * settled when its request gets 504 (`timeouts.handlerTimeoutMs`), a generator if it has not ended a second after it
   * was told to. A shard with more of them, or with more than half of its share of `memory.slots`, is replaced in the
   * same way as with `maxRequestsPerShard`. Range: 0 to 1,000,000. Default: 512.
   */
  maxAbandoned?: number;
  /**
   * How long a shard's event loop may be blocked before its queue goes to others; 0 disables the check. A stuck shard
   * gets no more requests and does not count as ready. Its queued requests get 503 if no other shard can run them. It
   * is used again once its event loop is no longer blocked. Groups can override it. Nothing is checked while an
   * inspector is open. Range: 0 to 2,147,483,647. Default: 10,000.
   */
  stuckAfterMs?: number;
  /**
   * How long a shard may be stuck before its thread is terminated and replaced; 0 disables it. Counts from the moment
   * at which the shard is stuck, and one shard of a group at a time is terminated. Requests that it had started get
   * 502; all others have gone to other shards by then. Groups can override it. Range: 0 to 2,147,483,647. Default:
   * 20,000.
   */
  killStuckAfterMs?: number;
  /**
   * Handlers that a shard starts before it is replaced; 0 disables the limit. For apps that leak. Another shard starts
   * beside it and takes over, and no request fails (docs/healing.md). One shard of a group at a time is replaced, and
   * each at a number of its own within a tenth below the limit. Checked every quarter of a second. Range: 0 to
   * 2,147,483,647. Default: 0.
   */
  maxRequestsPerShard?: number;
  /**
   * Heap of a shard after a garbage collection, in MiB, above which it is replaced; 0 disables the limit. Replaced in
   * the same way as with `maxRequestsPerShard`. The check follows each major garbage collection. A shard that has
   * served for less than 10 s is not replaced. Set it below `threads.resourceLimits.maxOldGenerationSizeMb`, which ends
   * the shard at once. Range: 0 to 1,048,576. Default: 0.
   */
  maxShardHeapMb?: number;
  /**
   * How long a group may have no free permit and no progress before `/readyz` returns 503; 0 disables the check. No
   * progress means that no handler starts or settles. The group is stalled until a permit is free. The log and the
   * event `stalled` report it. Range: 0 to 2,147,483,647. Default: 30,000.
   */
  stalledAfterMs?: number;
  /**
   * What an uncaught exception does to its shard: `replace`, `exit` or `continue`. `replace`: the request that caused
   * it gets 500; the shard claims nothing more, lets its other requests settle within half of
   * `timeouts.closeTimeoutMs`, and is replaced. `exit`: the shard ends immediately, and all requests that it has
   * started get 502. `continue`: the request gets 500, and the shard continues in the state that the exception left. If
   * the app listens for `uncaughtException`, the shard continues too. Default: `replace`.
   */
  onUncaught?: 'replace' | 'exit' | 'continue';
}

/** How each shard's thread is started. */
export interface ThreadOptions {
  /**
   * V8 limits of each shard, such as `{ maxOldGenerationSizeMb: 256 }`. A shard that exceeds them ends and is replaced.
   * Default: V8's.
   */
  resourceLimits?: { maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number };
  /** Environment variables of the shards. Default: a copy of the process's. */
  env?: Record<string, string>;
  /**
   * Modules that each shard imports before the app, such as `./tracing.js`. In their order, each awaited. For code that
   * must run before other modules are loaded, such as an OpenTelemetry SDK. Relative paths are resolved against the
   * working directory. With `shards: 0` they are imported once, in the calling thread.
   */
  preload?: URL | string | readonly (URL | string)[];
  /** Node.js flags of the shards, such as `['--enable-source-maps']`. Default: the process's. */
  execArgv?: readonly string[];
}
