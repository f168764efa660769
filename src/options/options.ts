import type { CompressOptions, CompressRules } from './compression.js';
import type { ListenChoice, Listening } from './listening.js';
import type { RequestIdOptions } from './request-id.js';
import type {
  AdaptivePermits,
  Dispatch,
  Group,
  HealthPaths,
  Permits,
  PriorityFunction,
  Shedding,
} from './scheduling.js';
import type { TrustProxy, TrustProxyRule } from './trust-proxy.js';

/** What errors, and requests with `accessLog`, are logged to. A pino logger is one. */
export interface Logger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

export interface ServeOptions extends ListenChoice {
  /**
   * Threads that listen, parse and answer, 1 to 64; the kernel spreads connections over them. With 1, it is the thread that calls `serve()`;
   * with more, each is a worker. More than 1 needs Linux and Node.js 22.12 or later, and `host` and `port`. Default: where that is so, and no
   * option is a function that runs on HTTP threads, two thirds of the cores from four cores on, 11 at the most; otherwise 1.
   */
  httpThreads?: number;
  /**
   * A module that each HTTP thread loads for the functions that run there: it may export `priority`, `onUpgrade`, `upgradeOptions`, and
   * `tls` with `SNICallback` and `pskCallback`. With several HTTP threads that is the only way to pass them.
   */
  httpModule?: URL | string;
  /** Worker threads that run handlers, 1 to 64. Default: as many as there are cores, 16 at the most. */
  shards?: number;
  /**
   * In place of `shards`: shards by group, such as `{ default: 2, cpu: 2 }`. Each group has its own shards, slots and queues,
   * in proportion; a group that is saturated leaves the others as they are. Routes name theirs.
   */
  groups?: Record<string, number>;
  /**
   * Handlers that may be in flight on each shard, 1 to 65,536; or `adaptive`: a limiter moves it, by how long handlers take.
   * Default 512.
   */
  permits?: number | 'adaptive' | AdaptivePermits;
  /** Requests that a shard claims at once at the most, 1 to 1,024. Default 256. */
  batch?: number;
  /** How a request's shard is chosen, within its group. Default `least-loaded`. */
  dispatch?: Dispatch;
  /** Whether a shard without work claims from the fullest ring of its group. Default true. */
  steal?: boolean;
  /**
   * Requests that may wait for each shard, and for the permits of each route with `maxConcurrency` (there at most half of the
   * group's slots), `batch` to 65,536; further ones get 503 at once, those of low priority from half of it on. Default 4,096.
   */
  maxQueue?: number;
  /** Refuses requests while others wait for too long. Default false. */
  shed?: boolean | Shedding;
  /**
   * Priority of requests whose route has none, by method and path (not decoded). It is called on the HTTP thread, for each
   * of them: everything waits for it, so it should do little. Default: all are `normal`.
   */
  priority?: PriorityFunction;
  /** How long a request may wait before its handler starts, up to 1,800,000 ms; then it gets 503. 0 (default): no limit. */
  queueTimeoutMs?: number;
  /**
   * How long a handler may take, up to 1,800,000 ms; then its request gets 504 and its `req.signal` is aborted. Permit and slot are
   * free again, `req` and `res` have no effect any more, and the handler counts as abandoned until it settles (`maxAbandoned`). Of a
   * stream, the time until its first chunk; once it has begun it lasts as long as its client. 0 (default): no limit.
   */
  handlerTimeoutMs?: number;
  /** Answers `/livez` and `/readyz`, or other paths, on the HTTP thread. Default false. */
  health?: boolean | HealthPaths;
  /**
   * How much shards give way to other threads of the machine, the HTTP thread among them: 0 to 19, as `nice` has it; or by
   * group, such as `{ cpu: 19 }`. Default 10. Linux only; elsewhere it does nothing.
   */
  shardNice?: number | Record<string, number>;
  /** Requests in hand at the most, queued ones included, 2 to 65,536; further ones get 503. Default 4,096. */
  slots?: number;
  /**
   * Shared memory for each slot, 2,048 to 1,048,576 bytes. A request takes at most half of it, and its response the rest;
   * larger messages use extents. Default 16,384.
   */
  slotBytes?: number;
  /**
   * Shared memory for messages that are larger than a slot, 2 MiB to 1 GiB. It is reserved, and takes memory only as it is
   * used. When all of it is in use, request bodies are not read and responses wait. Default 384 MiB.
   */
  extentBytes?: number;
  /** Request body at the most, 0 to 1 GiB; a larger one gets 413. Routes with `body: 'stream'` have their own. Default 1 MiB. */
  bodyLimitBytes?: number;
  /** Response body at the most, up to 2 GiB − 1; for a larger one the client gets 500; streams have no limit. Default 64 MiB. */
  responseLimitBytes?: number;
  /** Request target at the most, 1 to 32,768 bytes; a longer one gets 414. Default 8,192. */
  maxTargetBytes?: number;
  /** Target and header fields together at the most, up to 65,535 bytes; larger ones get 431. Default 16,384 + 8,192. */
  maxHeadBytes?: number;
  /** Header fields at the most, 1 to 256; more get 431. Default 100. */
  maxHeaderFields?: number;
  /** Compresses responses, on the shards. Routes may have their own. Default false. */
  compress?: boolean | CompressOptions;
  /**
   * Names requests by a header field: `req.id` is the client's, if that is 1 to 128 visible ASCII characters, otherwise a UUID;
   * logs and responses of handlers have it too. Default false: `req.id` is the server's own.
   */
  requestId?: boolean | RequestIdOptions;
  /**
   * Proxies that are believed what they say of clients (`req.ip`, `req.ips`, `req.protocol`, `req.host` and the access log): `true` for
   * all, a number for that many in front of the server, addresses and subnets, or `loopback`, `linklocal` and `uniquelocal`. Default false.
   */
  trustProxy?: TrustProxy;
  /**
   * Time for a request's head, in milliseconds, from its first byte on; then the client gets 408. A new connection that
   * sends nothing is closed after the same time. Default 10,000.
   */
  headersTimeoutMs?: number;
  /**
   * Time for a whole request, from its first byte on; then the client gets 408. Of a body that is streamed, time without a
   * byte while the server waits for one. Default 60,000.
   */
  requestTimeoutMs?: number;
  /** How long a connection may be idle between two requests before it is closed. Default 65,000. */
  keepAliveTimeoutMs?: number;
  /** How long a client may take nothing of an answer before it is cut off. Default 30,000. */
  sendTimeoutMs?: number;
  /**
   * How long what a client still sends behind its last answer is read and dropped, up to 64 MiB and as long as bytes come, so
   * that it gets to read the answer: a 413, for instance. Default 30,000.
   */
  lingerTimeoutMs?: number;
  /**
   * Whether a client that ends its side of the connection aborts `req.signal` of its pending requests. Most clients do so
   * because they are gone, but nothing tells those from clients that have no more to send and wait for their responses. Either way
   * the signal is aborted once a response cannot be sent. Default false.
   */
  abortOnHalfClose?: boolean;
  /** Connections at the most, 1 to 1,048,576; further ones are closed at once. Default 16,384. */
  maxConnections?: number;
  /**
   * Responses that each shard may stream at a time, such as Server-Sent Events. A stream takes a socket, and neither a permit nor a slot. Further
   * ones get 503, with a line in the log when that begins. 1 to 1,048,576. Default 16,384.
   */
  maxStreams?: number;
  /** Requests on one connection, which is closed behind the last one; 0, the default, for any number. */
  maxRequestsPerConnection?: number;
  /** Bytes of answers that may wait for a client before no more of its requests are read. Default 1 MiB. */
  maxBufferedBytes?: number;
  /** How shards sleep. `async` leaves timers and sockets of handlers alive; `sync` is for handlers without any. */
  park?: 'async' | 'sync';
  /**
   * How long `close()` goes on answering before the drain, so that whoever balances between servers takes this one out first, in
   * milliseconds. `readyz` says 503, and each answer closes its connection: spread over the time, so that not all clients connect
   * elsewhere at once. Idle connections stay until their next request, or the end. Default 0.
   */
  drainDelayMs?: number;
  /** How long `close()` waits for requests in hand before it cuts them off, in milliseconds. Default 10,000. */
  closeTimeoutMs?: number;
  /**
   * How long a shard may take to start and load the module, in milliseconds; then its thread is ended and another one started.
   * 0: any time. Default 60,000.
   */
  startTimeoutMs?: number;
  /**
   * How long a shard's event loop may not turn, in milliseconds. Then the shard is stuck: it gets no more requests and does not
   * count as ready, and what waits for it goes to others, or gets 503. It is used again once its event loop turns. 0: any time.
   * Default 10,000.
   */
  stuckAfterMs?: number;
  /**
   * Restarts of a shard within 10 s before its circuit opens: its share goes to others, and only one thread every 10 s is
   * started, until one has lived that long. 0: any number, without delay. Default 5.
   */
  maxRestarts?: number;
  /**
   * Abandoned handlers of a shard: those whose requests got 504 (`handlerTimeoutMs`), and that have not settled, and generators that
   * have not ended a second after they were told to. A shard with more of them, or with more than half of its share of `slots`, is replaced: it claims nothing more, lets its other requests settle within
   * half of `closeTimeoutMs`, and ends, one shard of a group at a time. 0: any number. Default 512.
   */
  maxAbandoned?: number;
  /**
   * How long all permits of a group may be taken without any handler that starts or settles, in milliseconds. Then the group is
   * stalled: `readyz` says 503, and the log and the event `stalled` say why, until a permit is free. 0: any time. Default 30,000.
   */
  stalledAfterMs?: number;
  /**
   * What an exception does that nobody caught, such as one of a timer or an event emitter. `replace` (default): the request that caused
   * it gets 500, and its shard claims nothing more, lets its other requests settle within half of `closeTimeoutMs`, and is
   * replaced. `exit`: the shard ends at once, and all requests that it had started get 502. `continue`: that request gets 500, and the
   * shard goes on in whatever state the exception has left it. A listener of the app for `uncaughtException` has the shard go on too.
   */
  onUncaught?: 'replace' | 'exit' | 'continue';
  /** V8 limits of each shard; one that exceeds them ends, and is replaced. Default: V8's own. */
  resourceLimits?: { maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number };
  /** Environment variables of the shards. Default: a copy of the process's. */
  env?: Record<string, string>;
  /** Flags of Node.js for the shards, such as `['--import', './tracing.js']`. Default: the process's. */
  execArgv?: readonly string[];
  /** A line at level `info` for each request that is answered. Default `false`. */
  accessLog?: boolean;
  /** Default: pino, to standard error, from level `warn` on, with `accessLog` from `info` on. */
  logger?: Logger;
}

type Resolved =
  | 'env'
  | 'execArgv'
  | 'compress'
  | 'requestId'
  | 'trustProxy'
  | 'shardNice'
  | 'groups'
  | 'permits'
  | 'shed'
  | 'health'
  | 'priority'
  | 'logger'
  | 'shards'
  | 'httpModule';

/** Every option, checked and with its default. */
export interface ResolvedOptions extends Required<Omit<ServeOptions, Resolved | keyof ListenChoice>> {
  listening: Listening;
  /** URL. */
  httpModule: string | undefined;
  groups: Group[];
  /** Of each group. */
  shardNice: number[];
  permits: Permits;
  shed: Required<Shedding> | undefined;
  health: Required<HealthPaths> | undefined;
  priority: PriorityFunction | undefined;
  env: Record<string, string> | undefined;
  execArgv: readonly string[] | undefined;
  compress: CompressRules | undefined;
  /** Name of the field in lower case. */
  requestId: string | undefined;
  trustProxy: TrustProxyRule;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
  logger: Logger | undefined;
}
