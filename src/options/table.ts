/*
 * Every option of `serve()`, once. Derived from this table: the checks (resolve.ts), the flags of the command line (cli.ts), and, by
 * `npm run generate`, the types in serve-options.ts, the tables in README.md and docs/options.md.
 */
import { availableParallelism } from 'node:os';
import {
  MAX_BATCH,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  MAX_HTTP_THREADS,
  MAX_SLOT_BYTES,
  MAX_SLOTS,
  MIN_SLOT_BYTES,
} from '../../assembly/layout.js';
import { DISPATCH_NAMES, MAX_MS, MAX_NICE, MAX_PERMITS, MAX_TIMEOUT_MS } from './scheduling.js';

/** Sections of options, in the order in which they are documented. Not called groups, because a group is a group of shards. */
export const SECTIONS = {
  limits: { type: 'LimitOptions', text: 'What a client may send, receive and hold.' },
  timeouts: { type: 'TimeoutOptions', text: 'How long each step may take, in milliseconds.' },
  scheduling: { type: 'SchedulingOptions', text: 'Which shard runs a request, when, and what happens under overload.' },
  memory: { type: 'MemoryOptions', text: 'The shared memory, which is reserved at the start.' },
  recovery: { type: 'RecoveryOptions', text: 'What happens to shards that fail or hang.' },
  threads: { type: 'ThreadOptions', text: "How each shard's thread is started." },
} as const;

export type SectionName = keyof typeof SECTIONS;

/** A flag of the command line. */
export interface Flag {
  /** In commander's syntax. */
  flag: string;
  /** Replaces the option's text and default. */
  text?: string;
  /** Marks a flag that only `--help-all` shows. */
  isRare?: true;
}

interface Common {
  /** Absent for an option at the top level. */
  section?: SectionName;
  /** One phrase, for `--help`, README.md and the docstring. */
  text: string;
  /** Further sentences of the docstring. */
  details?: string;
  /** The default in words, if it is not a constant. */
  defaultText?: string;
  /** Replaces the flag derived from name and kind. */
  flags?: readonly Flag[];
  /** Marks a top-level option that only `--help-all` shows. */
  isRare?: true;
}

export interface IntegerOption extends Common {
  kind: 'integer';
  lowest: number;
  highest: number;
  /** Absent if it depends on other options. */
  default?: number;
}

export interface BooleanOption extends Common {
  kind: 'boolean';
  default: boolean;
}

export interface ChoiceOption extends Common {
  kind: 'choice';
  values: readonly string[];
  /** Absent if it depends on other options. */
  default?: string;
}

/** An option with its own check. */
export interface OtherOption extends Common {
  kind: 'other';
  /** TypeScript type. */
  type: string;
  default?: number | string | boolean;
}

export type OptionEntry = IntegerOption | BooleanOption | ChoiceOption | OtherOption;

const LEAST_SHARDS = 2;
const MOST_BY_DEFAULT = 16;

/** One shard per core, but at least two, so that one shard responds while a slow handler occupies the other. */
export function defaultShards(cores = availableParallelism()): number {
  return Math.min(MOST_BY_DEFAULT, Math.max(LEAST_SHARDS, cores));
}

const MIB = 2 ** 20;

export const OPTIONS = {
  // ── top level ───────────────────────────────────────────────────────────────────────────────────────────────────
  port: {
    kind: 'integer',
    lowest: 0,
    highest: 65_535,
    default: 8000,
    defaultText: '8000',
    text: 'port to listen on; 0 takes a free one',
  },
  host: {
    kind: 'other',
    type: 'string',
    text: 'address to listen on',
    details: '`::` is all addresses of IPv6, and of IPv4 too unless `ipv6Only` is set.',
    default: '127.0.0.1',
    flags: [{ flag: '--host <address>' }],
  },
  ipv6Only: {
    kind: 'boolean',
    default: false,
    text: 'with host `::`, do not listen on IPv4',
    isRare: true,
  },
  path: {
    isRare: true,
    kind: 'other',
    type: 'string',
    text: 'Unix socket to listen on, instead of a port',
    details: 'A named pipe on Windows.',
    flags: [{ flag: '--path <file>' }],
  },
  fd: {
    kind: 'other',
    type: 'number',
    text: 'inherited descriptor that already listens',
    details: 'Instead of `host` and `port`.',
    flags: [{ flag: '--fd <number>' }],
    isRare: true,
  },
  tls: {
    kind: 'other',
    type: 'TlsOptions',
    text: 'key and certificate: serves HTTPS',
    details:
      'Takes the options of `tls.createServer`. ALPN is always `http/1.1`; `handshakeTimeout` is `timeouts.headersTimeoutMs` unless set. `server.setSecureContext()` replaces the certificate.',
    flags: [
      { flag: '--tls-key <file>', text: 'private key in PEM format: serves HTTPS' },
      { flag: '--tls-cert <file>', text: 'certificate chain in PEM format; SIGHUP reloads both' },
    ],
  },
  shards: {
    kind: 'other',
    type: 'number | ShardRange',
    defaultText: `number of cores, from ${LEAST_SHARDS} to ${MOST_BY_DEFAULT}`,
    text: 'worker threads that run handlers',
    details:
      'At least two by default, even on one core, so that one slow handler does not hold back the others. `{ min: 2, max: 8 }`: as many as the load needs (docs/healing.md). With 0, handlers of all groups run in the calling thread, for use with a debugger. Up to 64.',
    flags: [
      {
        flag: '--shards <number>',
        text: `handler threads: 4, or 2-8 (default: cores, ${LEAST_SHARDS} to ${MOST_BY_DEFAULT})`,
      },
    ],
  },
  groups: {
    kind: 'other',
    type: 'Record<string, number | ShardRange | GroupOptions>',
    text: 'shards by group, instead of `shards`',
    details:
      'For example `{ default: 2, cpu: 2 }`, or `{ default: { min: 2, max: 8 } }` in place of a number. `{ shards: 2, stuckAfterMs: 0 }` also sets when its shards count as stuck. Each group has its own shards, slots and queues, in proportion: a saturated group does not affect the others. Routes choose their group with `group`.',
    flags: [{ flag: '--groups <list>', text: 'shards by group, such as default=2,cpu=2-4' }],
  },
  httpThreads: {
    kind: 'integer',
    lowest: 1,
    highest: MAX_HTTP_THREADS,
    text: 'threads that listen, parse and respond',
    details:
      'The kernel spreads connections over them. With 1, the thread that calls `serve()` is the HTTP thread; with more, each is a worker. More than 1 needs Linux, Node.js 22.12 or later, and `host` and `port`. By default two thirds of the cores, at most 11; but 1 on fewer than four cores, where several are not possible, or if an option is a function that runs on HTTP threads.',
    defaultText: '[depends on the cores](docs/scaling.md)',
    flags: [{ flag: '--http-threads <number>', text: 'threads that listen, parse and respond' }],
  },
  httpModule: {
    kind: 'other',
    type: 'URL | string',
    text: 'module with the functions that run on HTTP threads',
    details:
      'It may export `priority`, `onUpgrade`, `upgradeOptions`, and `tls` with `SNICallback` and `pskCallback`. With several HTTP threads, functions can only be passed this way.',
    flags: [{ flag: '--http-module <file>' }],
    isRare: true,
  },
  health: {
    kind: 'other',
    type: 'boolean | HealthPaths',
    text: 'respond to `/livez` and `/readyz`',
    details:
      'The HTTP thread does so itself. An object sets the paths `livez` and `readyz`, and `shedGraceMs` (default 5,000): how long the server may shed before `/readyz` returns 503. `app.health()` adds checks to `/readyz`.',
    default: false,
    flags: [{ flag: '--health' }],
  },
  compress: {
    kind: 'other',
    type: 'boolean | CompressOptions',
    text: 'compress responses with br, zstd or gzip',
    details:
      'Shards compress them, for clients that accept it. An object sets `thresholdBytes` (default 1,024), `types` and `encodings`. Routes can override it.',
    default: false,
    flags: [{ flag: '--compress' }],
  },
  requestId: {
    kind: 'other',
    type: 'boolean | RequestIdOptions',
    text: 'take request IDs from `x-request-id`, or generate UUIDs',
    details:
      "`req.id` is the client's if that is 1 to 128 visible ASCII characters, otherwise a UUID. Logs and responses of handlers contain it too. `{ header: 'x-correlation-id' }` uses another header. With `false`, the server generates `req.id`.",
    default: false,
    flags: [{ flag: '--request-id' }],
  },
  trustProxy: {
    kind: 'other',
    type: 'TrustProxy',
    text: 'proxies whose `x-forwarded-*` headers describe the client',
    details:
      'For `req.ip`, `req.ips`, `req.protocol`, `req.host` and the access log. `true` trusts all proxies; a number trusts that many in front of the server; a string or an array lists addresses and subnets, or `loopback`, `linklocal` and `uniquelocal`.',
    default: false,
    flags: [{ flag: '--trust-proxy <proxies>', text: 'trusted proxies: how many, or their addresses' }],
  },
  accessLog: {
    kind: 'boolean',
    default: false,
    text: 'log a line for each response',
    details:
      'Written when the response was sent or its client disconnected: method, target, status, bytes, duration, ID and address, at level `info`.',
  },
  logLevel: {
    kind: 'choice',
    values: ['info', 'warn', 'error', 'silent'],
    defaultText: '`info` with `accessLog`, otherwise `warn`',
    text: 'lowest level that is logged',
    details: 'Applies without the option `logger`.',
    flags: [{ flag: '--log-level <level>', text: 'lowest level logged: info, warn, error, silent' }],
  },
  logger: {
    kind: 'other',
    type: 'Logger',
    text: 'an object with the methods `error`, `warn` and `info`',
    details: 'By default pino, to standard error: readable lines on a terminal, otherwise JSON.',
    defaultText: 'pino to stderr',
    flags: [],
  },
  admin: {
    kind: 'other',
    type: 'AdminOptions',
    text: 'listener for a page that shows the shards at work, metrics, reloads and profiles, such as `{ port: 9000 }`',
    details:
      'Off by default. Listens on 127.0.0.1 unless `host` is set; other machines need `token`, which may also come from the environment variable `LOOPSHARD_ADMIN_TOKEN`. See docs/admin.md.',
    flags: [
      { flag: '--admin-port <number>', text: 'port of a page, metrics, reloads and profiles' },
      { flag: '--admin-host <address>', text: 'address of that port (default: 127.0.0.1)', isRare: true },
      { flag: '--agent-port <number>', text: "port for HAProxy's agent check, at that address", isRare: true },
    ],
  },
  metrics: {
    isRare: true,
    kind: 'boolean',
    default: true,
    text: 'count requests and times by route, for `server.metrics()`',
    details: 'For example for Prometheus. docs/metrics.md lists the metrics and says what counting costs.',
    flags: [{ flag: '--no-metrics', text: 'do not count requests and times by route' }],
  },
  traces: {
    kind: 'boolean',
    default: true,
    text: 'trace requests if the app registers an OpenTelemetry SDK',
    details: 'docs/traces.md says what a span contains, and what tracing costs.',
    flags: [{ flag: '--no-traces', text: 'do not trace requests, even with an OpenTelemetry SDK' }],
    isRare: true,
  },
  serverTiming: {
    kind: 'other',
    type: 'ServerTiming',
    text: 'send `server-timing` with the times of a request, to all clients or some',
    details:
      'Time in the queue, in the handler, and in total, for the developer tools of browsers. They tell attackers about the load and the data: in production, list the addresses and subnets of clients that may see them, or `loopback`, `linklocal` and `uniquelocal`, in an array or a string. The client is `req.ip`.',
    default: false,
    flags: [
      { flag: '--server-timing [clients]', text: 'send `server-timing`, to all clients or to the listed addresses' },
    ],
    isRare: true,
  },
  abortOnHalfClose: {
    kind: 'boolean',
    default: false,
    text: 'abort `req.signal` when a client ends its side',
    details:
      'Most clients that end their side of the connection are gone, but some have only finished sending and still wait for the response. The server cannot tell them apart. With either value, `req.signal` is aborted once a response cannot be sent.',
    isRare: true,
  },

  // ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────
  maxBodyBytes: {
    section: 'limits',
    kind: 'integer',
    lowest: 0,
    highest: 2 ** 30,
    default: MIB,
    text: 'largest request body; larger ones get 413',
    details: "Routes with `body: 'stream'` have their own limit.",
  },
  maxResponseBytes: {
    section: 'limits',
    kind: 'integer',
    lowest: 0,
    highest: 2 ** 31 - 1,
    default: 64 * MIB,
    text: 'largest response body; larger ones become 500',
    details: 'Streams have no limit.',
  },
  maxTargetBytes: {
    section: 'limits',
    kind: 'integer',
    lowest: 1,
    highest: 32_768,
    default: 8_192,
    text: 'longest request target; longer ones get 414',
  },
  maxHeadBytes: {
    section: 'limits',
    kind: 'integer',
    lowest: 256,
    highest: MAX_HEAD_BYTES,
    default: 16_384 + 8_192,
    text: 'largest request head, target included; larger ones get 431',
  },
  maxHeaderFields: {
    section: 'limits',
    kind: 'integer',
    lowest: 1,
    highest: MAX_FIELDS,
    default: 100,
    text: 'headers of a request; more get 431',
  },
  maxConnections: {
    section: 'limits',
    kind: 'integer',
    lowest: 1,
    highest: 2 ** 20,
    default: 16_384,
    text: 'open connections; further ones are closed immediately',
  },
  maxStreams: {
    section: 'limits',
    kind: 'integer',
    lowest: 1,
    highest: 2 ** 20,
    default: 16_384,
    text: 'responses that each shard streams at once; further ones get 503',
    details:
      'For example Server-Sent Events. A stream uses a socket, but neither a permit nor a slot. Reaching the limit is logged.',
  },
  maxRequestsPerConnection: {
    section: 'limits',
    kind: 'integer',
    lowest: 0,
    highest: 2 ** 31 - 1,
    default: 0,
    text: 'requests before a connection is closed; 0 disables the limit',
  },
  maxBufferedBytes: {
    section: 'limits',
    kind: 'integer',
    lowest: 0,
    highest: 2 ** 31 - 1,
    default: MIB,
    text: 'bytes buffered for a slow client before the server stops reading its requests',
  },

  // ── timeouts ────────────────────────────────────────────────────────────────────────────────────────────────────
  headersTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 1,
    highest: MAX_MS,
    default: 10_000,
    text: 'time to receive a request head; then 408',
    details:
      'Counts from the first byte of the head. A new connection that sends nothing is closed after the same time.',
  },
  requestTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 1,
    highest: MAX_MS,
    default: 60_000,
    text: 'time to receive a whole request, or the next byte of a streamed body; then 408',
    details:
      'Counts from the first byte of the request. While others wait for shared memory (`memory.extentBytes`), a body that occupies it has to arrive at 64 KiB in 5 s.',
  },
  keepAliveTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 1,
    highest: MAX_MS,
    default: 65_000,
    text: 'how long a connection may be idle between requests',
  },
  sendTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 1,
    highest: MAX_MS,
    default: 30_000,
    text: 'how long a client may stop reading its response',
    details:
      'Then its connection is dropped. While others wait for shared memory (`memory.extentBytes`), that happens after 5 s.',
  },
  lingerTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 1,
    highest: MAX_MS,
    default: 30_000,
    text: 'how long the server discards input after the last response of a connection',
    details:
      'At most 64 MiB, and only while bytes arrive. This lets a client that is still sending read an early response, such as 413.',
  },
  queueTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 0,
    highest: MAX_TIMEOUT_MS,
    default: 0,
    text: 'requests not started within this time get 503; 0 disables the timeout',
    details: 'Routes can override it.',
  },
  handlerTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 0,
    highest: MAX_TIMEOUT_MS,
    default: 0,
    text: 'requests whose handler has not settled within this time get 504; 0 disables the timeout',
    details:
      'Their `req.signal` is aborted, their permit and slot are released, `req` and `res` no longer have any effect, and the handler counts as abandoned until it settles (`recovery.maxAbandoned`). For a stream, the time until its first chunk counts. Routes can override it.',
  },
  startTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 0,
    highest: MAX_MS,
    default: 60_000,
    text: 'how long a shard may take to start and load the module; 0 disables the timeout',
    details: 'Then its thread is terminated and another one is started.',
  },
  closeTimeoutMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 0,
    highest: MAX_MS,
    default: 10_000,
    text: 'how long `close()` waits for open requests',
    details: 'Then it drops them.',
  },
  drainDelayMs: {
    section: 'timeouts',
    kind: 'integer',
    lowest: 0,
    highest: MAX_MS,
    default: 0,
    text: 'how long `/readyz` returns 503 before the server stops accepting connections',
    details:
      'A load balancer can remove the server during this time. Responses close their connections, spread over the time, so that clients do not all reconnect elsewhere at once. Idle connections stay open until their next request or the end of the delay.',
  },

  // ── scheduling ──────────────────────────────────────────────────────────────────────────────────────────────────
  permits: {
    section: 'scheduling',
    kind: 'other',
    type: "number | 'adaptive' | AdaptivePermits",
    text: 'handlers in flight on each shard, or `adaptive`',
    details: `1 to ${MAX_PERMITS.toLocaleString('en')}. With \`adaptive\`, a limiter adjusts the number to how long handlers take; an object sets its bounds: \`{ initial: 20, min: 4, max: 1024 }\`.`,
    default: 512,
    flags: [{ flag: '--permits <number>' }],
  },
  batch: {
    section: 'scheduling',
    kind: 'integer',
    lowest: 1,
    highest: MAX_BATCH,
    default: 256,
    text: 'requests that a shard claims at once, at most',
  },
  maxQueue: {
    section: 'scheduling',
    kind: 'integer',
    lowest: 1,
    highest: 65_536,
    default: 4_096,
    text: 'requests queued for each shard; further ones get 503',
    details:
      'At least `batch`. It also limits the queue of each route with `maxConcurrency`, which holds at most half of the slots of its group. Requests of low priority get 503 when the queue is half full.',
  },
  dispatch: {
    section: 'scheduling',
    kind: 'other',
    type: 'Dispatch',
    text: `${DISPATCH_NAMES.map((name) => `\`${name}\``).join(', ')}, or by key`,
    details:
      "How the shard of a request is chosen within its group. A key keeps requests together: `{ key: { header: 'x-user' } }`.",
    default: 'least-loaded',
    flags: [
      { flag: '--dispatch <policy>' },
      { flag: '--dispatch-key <source:name>', text: 'dispatch by a key, such as header:x-user or cookie:id' },
    ],
  },
  steal: {
    section: 'scheduling',
    kind: 'boolean',
    default: true,
    text: 'idle shards take queued requests of other shards in their group',
    flags: [{ flag: '--no-steal', text: 'idle shards do not take queued requests of other shards' }],
  },
  shed: {
    section: 'scheduling',
    kind: 'other',
    type: 'boolean | Shedding',
    text: 'reject requests while others have been queued for too long',
    details:
      'An object sets `targetMs` (default 200), `intervalMs` (500), `status` (503, or 429) and `retryAfterSeconds` (1).',
    default: false,
    flags: [{ flag: '--shed' }],
  },
  priority: {
    section: 'scheduling',
    kind: 'other',
    type: 'PriorityFunction',
    text: "a function `(method, path) => 'high' | 'normal' | 'low'`",
    details:
      'For requests whose route has no `priority`. The path is not decoded. Runs on the HTTP thread and blocks it, so keep it fast.',
    defaultText: 'all are `normal`',
    flags: [],
  },
  shardNice: {
    section: 'scheduling',
    kind: 'other',
    type: 'number | Record<string, number>',
    text: `niceness of shards, 0 to ${MAX_NICE}, or by group; Linux only`,
    details: 'Shards with a higher number give way to other threads, as with `nice`. By group: `{ cpu: 19 }`.',
    default: 0,
    flags: [{ flag: '--shard-nice <number>' }],
  },
  park: {
    section: 'scheduling',
    kind: 'choice',
    values: ['async', 'sync'],
    default: 'async',
    text: 'how idle shards sleep: `async`, or `sync` for handlers without timers or sockets',
  },

  // ── memory ──────────────────────────────────────────────────────────────────────────────────────────────────────
  slots: {
    section: 'memory',
    kind: 'integer',
    lowest: 2,
    highest: MAX_SLOTS,
    default: 4_096,
    text: 'requests the server holds at once, queued ones included; further ones get 503',
  },
  slotBytes: {
    section: 'memory',
    kind: 'integer',
    lowest: MIN_SLOT_BYTES,
    highest: MAX_SLOT_BYTES,
    default: 16_384,
    text: 'shared memory of each slot; larger messages use extents',
    details: 'A request uses at most half of its slot, and its response the rest.',
  },
  extentBytes: {
    section: 'memory',
    kind: 'integer',
    lowest: 2 ** 21,
    highest: 2 ** 30,
    default: 384 * MIB,
    text: 'shared memory for larger messages; physical memory only as it is used',
    details: 'When all of it is in use, request bodies are not read and responses wait.',
  },

  // ── recovery ────────────────────────────────────────────────────────────────────────────────────────────────────
  maxRestarts: {
    section: 'recovery',
    kind: 'integer',
    lowest: 0,
    highest: 1_000_000,
    default: 5,
    text: 'restarts of a shard within 10 s before its circuit opens; 0 disables the limit',
    details:
      'While the circuit is open, requests go to other shards and only one thread is started every 10 s, until one has lived that long. If the circuits of all shards of a group are open, its requests get 503, and `/readyz` says so.',
  },
  maxAbandoned: {
    section: 'recovery',
    kind: 'integer',
    lowest: 0,
    highest: 1_000_000,
    default: 512,
    text: 'abandoned handlers of a shard before it is replaced; 0 disables the limit',
    details:
      'A handler is abandoned if it has not settled when its request gets 504 (`timeouts.handlerTimeoutMs`), a generator if it has not ended a second after it was told to. A shard with more of them, or with more than half of its share of `memory.slots`, is replaced in the same way as with `maxRequestsPerShard`.',
  },
  stuckAfterMs: {
    section: 'recovery',
    kind: 'integer',
    lowest: 0,
    highest: MAX_MS,
    default: 10_000,
    text: "how long a shard's event loop may be blocked before its queue goes to others; 0 disables the check",
    details:
      'A stuck shard gets no more requests and does not count as ready. Its queued requests get 503 if no other shard can run them. It is used again once its event loop is no longer blocked. Groups can override it. Nothing is checked while an inspector is open.',
  },
  killStuckAfterMs: {
    section: 'recovery',
    kind: 'integer',
    lowest: 0,
    highest: MAX_MS,
    default: 20_000,
    text: 'how long a shard may be stuck before its thread is terminated and replaced; 0 disables it',
    details:
      'Counts from the moment at which the shard is stuck, and one shard of a group at a time is terminated. Requests that it had started get 502; all others have gone to other shards by then. Groups can override it.',
  },
  maxRequestsPerShard: {
    section: 'recovery',
    kind: 'integer',
    lowest: 0,
    highest: MAX_MS,
    default: 0,
    text: 'handlers that a shard starts before it is replaced; 0 disables the limit',
    details:
      'For apps that leak. Another shard starts beside it and takes over, and no request fails (docs/healing.md). One shard of a group at a time is replaced, and each at a number of its own within a tenth below the limit. Checked every quarter of a second.',
  },
  maxShardHeapMb: {
    section: 'recovery',
    kind: 'integer',
    lowest: 0,
    highest: 1_048_576,
    default: 0,
    text: 'heap of a shard after a garbage collection, in MiB, above which it is replaced; 0 disables the limit',
    details:
      'Replaced in the same way as with `maxRequestsPerShard`. The check follows each major garbage collection. A shard that has served for less than 10 s is not replaced. Set it below `threads.resourceLimits.maxOldGenerationSizeMb`, which ends the shard at once.',
  },
  stalledAfterMs: {
    section: 'recovery',
    kind: 'integer',
    lowest: 0,
    highest: MAX_MS,
    default: 30_000,
    text: 'how long a group may have no free permit and no progress before `/readyz` returns 503; 0 disables the check',
    details:
      'No progress means that no handler starts or settles. The group is stalled until a permit is free. The log and the event `stalled` report it.',
  },
  onUncaught: {
    section: 'recovery',
    kind: 'choice',
    values: ['replace', 'exit', 'continue'],
    default: 'replace',
    text: 'what an uncaught exception does to its shard: `replace`, `exit` or `continue`',
    details:
      '`replace`: the request that caused it gets 500; the shard claims nothing more, lets its other requests settle within half of `timeouts.closeTimeoutMs`, and is replaced. `exit`: the shard ends immediately, and all requests that it has started get 502. `continue`: the request gets 500, and the shard continues in the state that the exception left. If the app listens for `uncaughtException`, the shard continues too.',
  },

  // ── threads ─────────────────────────────────────────────────────────────────────────────────────────────────────
  resourceLimits: {
    section: 'threads',
    kind: 'other',
    type: '{ maxOldGenerationSizeMb?: number; maxYoungGenerationSizeMb?: number; stackSizeMb?: number }',
    text: 'V8 limits of each shard, such as `{ maxOldGenerationSizeMb: 256 }`',
    details: 'A shard that exceeds them ends and is replaced.',
    defaultText: "V8's",
    flags: [{ flag: '--resource-limits <list>', text: 'V8 limits of each shard, such as maxOldGenerationSizeMb=256' }],
  },
  env: {
    section: 'threads',
    kind: 'other',
    type: 'Record<string, string>',
    text: 'environment variables of the shards',
    defaultText: "a copy of the process's",
    flags: [{ flag: '--env <name=value>', text: "environment variable of the shards, added to the process's" }],
  },
  preload: {
    section: 'threads',
    kind: 'other',
    type: 'URL | string | readonly (URL | string)[]',
    text: 'modules that each shard imports before the app, such as `./tracing.js`',
    details:
      'In their order, each awaited. For code that must run before other modules are loaded, such as an OpenTelemetry SDK. Relative paths are resolved against the working directory. With `shards: 0` they are imported once, in the calling thread.',
    flags: [{ flag: '--preload <module>', text: 'module that each shard imports before the app; may be repeated' }],
  },
  execArgv: {
    section: 'threads',
    kind: 'other',
    type: 'readonly string[]',
    text: "Node.js flags of the shards, such as `['--enable-source-maps']`",
    defaultText: "the process's",
    flags: [{ flag: '--exec-argv <flag>', text: "Node.js flag of the shards, instead of the process's" }],
  },
} as const satisfies Record<string, OptionEntry>;

export type OptionName = keyof typeof OPTIONS;

/** Names of the options of one kind. */
export type NamesOf<Kind extends OptionEntry['kind']> = {
  [Name in OptionName]: (typeof OPTIONS)[Name]['kind'] extends Kind ? Name : never;
}[OptionName];

export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];
export const SECTION_NAMES = Object.keys(SECTIONS) as SectionName[];

/** Returns an entry with the common type of all entries. */
export function entryOf(name: OptionName): OptionEntry {
  return OPTIONS[name];
}

/** Returns the options of a section, or of the top level, in the order of the table. */
export function namesIn(section: SectionName | undefined): OptionName[] {
  return OPTION_NAMES.filter((name) => entryOf(name).section === section);
}

/** Returns an option as messages name it: `memory.slots`. */
export function pathOf(name: OptionName): string {
  const { section } = entryOf(name);
  return section === undefined ? name : `${section}.${name}`;
}

/** Returns the flags of an option; none if only code can pass it. */
export function flagsOf(name: OptionName): readonly Flag[] {
  const entry = entryOf(name);
  if (entry.flags !== undefined) return entry.flags;
  const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (entry.kind === 'integer') return [{ flag: `${flag} <number>` }];
  return [{ flag: entry.kind === 'choice' ? `${flag} <${entry.values.join('|')}>` : flag }];
}
