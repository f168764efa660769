/*
 * What the threads send each other outside the shared memory: the route table, and the messages of the channels. Each thread of a shard has
 * one channel to the control thread, which owns its life, and one to each HTTP thread, for messages about single requests. Messages of one
 * channel keep their order.
 */
import type { Histogram } from 'node:perf_hooks';
import type { MessagePort } from 'node:worker_threads';
import type { SharedCore } from '../core/memory.js';
import type { CompressRules } from '../options/compression.js';
import type { AnyMethod } from '../options/methods.js';
import type { RouteScheduling } from '../options/scheduling.js';
import type { ServerTimingRule } from '../options/server-timing.js';
import type { TrustProxyRule } from '../options/trust-proxy.js';
import type { CorsRules } from './cors.js';
import type { ErrorText } from './describe.js';
import type { Peer } from './peer.js';
import type { Refusal } from './refusal.js';

/** The route of a slot whose request is for the not-found handler. */
export const NOT_FOUND_ROUTE = -1;

/** What the HTTP thread knows about a route. Its position in the table is its number. */
export interface RouteEntry {
  methods: readonly AnyMethod[];
  /** A find-my-way pattern. */
  pattern: string;
  scheduling: RouteScheduling;
  /** Request bodies are read as streams. */
  isStreamed?: true;
  /** Small request bodies of known length are read whole, others as streams. */
  isAuto?: true;
  /** The app writes the bytes of its responses, and may take over connections. */
  isRaw?: true;
  /** The route gets only requests that offer one of these protocols, in lower case. */
  upgrades?: string[];
  /** The route also gets targets below its pattern that are not valid URLs. */
  takesAnyTarget?: true;
  /** Largest request body, instead of the server's limit; `Infinity` disables the limit. */
  maxBodyBytes?: number;
  /** A response that the HTTP thread sends itself; no shard has a handler then. */
  fixed?: FixedBody;
}

/** A body that never changes. */
export interface FixedBody {
  type: string;
  bytes: Uint8Array;
}

/** What the HTTP thread sends when it rejects a request (src/app/refusals.ts). */
export interface RefusalTemplate {
  /** A status, `4xx`, `5xx`, or nothing for all. */
  status: string | undefined;
  /** Header fields, as lines without their ends. */
  lines: readonly string[];
  type: string;
  /** With `{statusCode}`, `{code}` and `{message}`; undefined for the standard body. */
  body: string | undefined;
}

export interface RouteTable {
  routes: RouteEntry[];
  hasNotFound: boolean;
  /** Of equally specific ones, the last applies. */
  refusals: readonly RefusalTemplate[];
  cors?: CorsRules;
}

/** The part of the table that must be equal on every shard. Fixed bodies may differ: the first shard's are sent. */
export function comparable(table: RouteTable): object {
  return { ...table, routes: table.routes.map(({ fixed, ...route }) => ({ ...route, isFixed: fixed !== undefined })) };
}

/** A shard's end of the channel to an HTTP thread, and the generation of that thread. */
export interface HttpEnd {
  port: MessagePort;
  generation: number;
}

/** Identifies a request. */
export interface RequestName {
  slot: number;
  sequence: number;
}

/** The name as one number, for use as a key. */
export function requestKey({ slot, sequence }: RequestName): number {
  return slot * 2 ** 32 + (sequence >>> 0);
}

/** Start options of a shard. */
export interface ShardStart {
  shard: number;
  /** The numbers of the shards of its group, including itself, and how many run at a time. */
  group: { name: string; first: number; count: number; most: number };
  /** Which of the shards of its group it is, from 0: it takes over the index of the shard that it replaces. */
  index: number;
  core: SharedCore;
  /** Of the server's clock. */
  epochMs: number;
  /** URL of the user's module. */
  module: string;
  /** The shard's end of the channel to the control thread. */
  channel: MessagePort;
  /** The shard's end of the channel to each HTTP thread. */
  requests: readonly HttpEnd[];
  /** What the module must define; undefined for the first shard of a server, whose table the others must match. */
  table: RouteTable | undefined;
  batch: number;
  park: 'async' | 'sync';
  /** Whether it may claim from the rings of other shards of its group. */
  steal: boolean;
  /** Niceness of the thread, 0 to 19. */
  nice: number;
  /** Bounds of adaptive permits; undefined for a fixed number. */
  adaptive: { min: number; max: number } | undefined;
  /** What an uncaught exception does. */
  onUncaught: 'replace' | 'exit' | 'continue';
  /** How long the shard may take to end in order and be replaced. */
  graceMs: number;
  /** Abandoned handlers before the shard reports it; 0 disables the limit. */
  maxAbandoned: number;
  /** How many responses the shard may stream at once. */
  maxStreams: number;
  /** Heap in MiB after a garbage collection before the shard reports it; 0 disables the limit. */
  maxHeapMb: number;
  maxResponseBytes: number;
  compress: CompressRules | undefined;
  /** Name of the header field with request ids, in lower case. */
  requestId: string | undefined;
  /** Which proxies are trusted. */
  trustProxy: TrustProxyRule;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
  /** URLs of modules that are imported before the app's. */
  preload: readonly string[];
  /** Whether requests are traced if an OpenTelemetry SDK is registered. */
  traces: boolean;
  /** Which clients get the `server-timing` header. */
  serverTiming: ServerTimingRule;
}

/** In microseconds. Clones on other threads see what the shard records. */
export interface ShardHistograms {
  /** From submission to the start of the handler. */
  queueTime: Histogram;
  /** From the start of the handler until it settles. */
  handlerTime: Histogram;
  /** Slots per claim, not a time. */
  batchSize: Histogram;
}

/** Control thread → shard. */
export type ShardCommand =
  /**
   * The control thread has received the shard's `ready`: it may claim. Sent once to each thread.
   * @param times where it counts times by route (`createRouteTimes`), if metrics are enabled
   */
  | { type: 'go'; times: SharedArrayBuffer | undefined }
  /** The limit of permits may have grown. */
  | { type: 'permits' }
  /** The shard replies as soon as its event loop turns. */
  | { type: 'ping' }
  /** An HTTP thread has ended, with the clients of its streams and of these requests, which some shard has started. */
  | { type: 'gone'; http: number; requests: readonly RequestName[] }
  /** Another thread replaces an ended HTTP thread. */
  | { type: 'http'; http: number; end: HttpEnd }
  /** The server is closing, or this thread is to end: streaming responses are told. */
  | { type: 'drain' }
  /** Take a heap snapshot. Each message through `port` asks for the next piece: bytes, none at the end. */
  | { type: 'heapSnapshot'; port: MessagePort }
  /** Stop claiming, let started handlers settle within `handlersMs`, and end within `graceMs`. */
  | { type: 'close'; handlersMs: number; graceMs: number };

/** HTTP thread → shard. */
export type RequestCommand =
  /**
   * The client probably no longer waits for the response.
   * @param isGone the response cannot be sent: a stream is cancelled
   */
  | { type: 'abort'; slot: number; sequence: number; isGone: boolean }
  /** The request got 504 because its handler took too long: give the slot back without a response. */
  | { type: 'abandon'; slot: number; sequence: number }
  | { type: 'stream'; answer: StreamAnswer }
  | { type: 'body'; piece: BodyPiece }
  /** Several small pieces of bodies (src/contract/stream-batch.ts). */
  | { type: 'bodies'; batch: ArrayBuffer }
  /** What became of responses to requests that the shard observes (src/contract/sent-reports.ts). */
  | { type: 'sent'; reports: Float64Array<ArrayBuffer> }
  /** Requests that ended without a handler of a shard that still runs. */
  | { type: 'unhandled'; requests: readonly UnhandledRequest[] };

/** A request to which the HTTP thread has responded itself, or whose client has disconnected. Times are of the server's clock. */
export interface UnhandledRequest {
  method: AnyMethod;
  target: string;
  isHttp10: boolean;
  /** Names and values of its header fields, one after the other. */
  pairs: readonly string[];
  peer: Peer;
  /** Number of its route, or a negative number. */
  route: number;
  arrivedAt: number;
  /** Undefined if it was never in a queue. */
  queuedAt: number | undefined;
  /** Undefined if no handler was called. */
  startedAt: number | undefined;
  /** Status of the response; 0 if none was sent. */
  status: number;
  endedAt: number;
  /** The response was not sent completely. */
  isAborted: boolean;
  /** Why the HTTP thread has rejected it, such as `QUEUE_TIMEOUT`; undefined if it has not. */
  code: string | undefined;
}

/** Shard → HTTP thread. */
export type RequestReport =
  | { type: 'stream'; piece: StreamPiece }
  /** Several small pieces (src/contract/stream-batch.ts). */
  | { type: 'streams'; batch: ArrayBuffer }
  | { type: 'body'; credit: BodyCredit }
  /** An interim response (RFC 9110 section 15.2), complete with its head's end. */
  | { type: 'interim'; slot: number; sequence: number; bytes: Uint8Array }
  /** Close the connection without a response. */
  | { type: 'destroy'; slot: number; sequence: number };

/** An error for the logger of the control thread. */
export interface FailureReport {
  type: 'failure';
  message: string;
  error: ErrorText;
  request?: { id: string; method: string; target: string };
}

/** The result of one of the app's health checks has changed; a check passes until it fails. */
export interface CheckReport {
  type: 'check';
  name: string;
  /** Why it fails; undefined if it passes again. */
  error: ErrorText | undefined;
}

/** A health check of the app has failed `replaceAfter` times in a row. */
export interface UnhealthyReport {
  type: 'unhealthy';
  name: string;
}

/** Shard → control thread. */
export type ShardReport =
  /** The thread runs, and is about to load the module. */
  | { type: 'loading' }
  /** The thread cannot begin: its error in plain strings, because clones of errors lose their codes. The thread ends. */
  | Refusal
  /** The module is loaded, and the shard waits for `go`. */
  | { type: 'ready'; table: RouteTable; histograms: ShardHistograms }
  | { type: 'pong' }
  /** The app listens for a signal, which shards never receive. Sent once. */
  | { type: 'signalListener'; signal: string }
  /** The app has asked for a port, which it does not get on shards. */
  | { type: 'listen'; port: number }
  /** An exception was not caught. If `ends`, the shard claims nothing more and ends. */
  | { type: 'uncaught'; error: ErrorText; request?: FailureReport['request']; ends: boolean }
  /** More than `maxAbandoned` abandoned handlers are running. */
  | { type: 'crowded' }
  /** The shard streams as many responses as it may: further ones are rejected. */
  | { type: 'streamsFull' }
  /** The heap has more than `maxHeapMb` after a garbage collection. Sent once. */
  | { type: 'heapFull'; heapMb: number }
  | CheckReport
  | UnhealthyReport
  | FailureReport;

/** Shard → HTTP thread: a piece of a response body as it is sent, or its end. */
export interface StreamPiece {
  slot: number;
  /** Of the request. */
  sequence: number;
  /** The piece lies in `bytes`, from `start` to `end`. */
  bytes?: ArrayBuffer;
  start: number;
  end: number;
  /** With the first piece: bytes of the head, with which it begins. */
  headBytes?: number;
  /** With the first piece: the connection is closed behind the body, whose end that is unless `isFramed`. */
  closes?: boolean;
  /** With the first piece: the head tells where the body ends. */
  isFramed?: boolean;
  /** With the first piece: length of the body in bytes, if known. */
  bodyBytes?: number;
  /** With the first piece: the handler takes over the connection. What follows the request is sent to it as a body. */
  upgrades?: boolean;
  /**
   * Set on the last piece: the body is complete, or never will be. On an upgraded connection, `whole` ends only the shard's side of it, and
   * `broken`, which may follow, the connection.
   */
  last?: 'whole' | 'broken';
}

/** HTTP thread → shard: what happened to a stream's bytes. */
export interface StreamAnswer {
  slot: number;
  sequence: number;
  /** Bytes of the body that the kernel has taken, or -1 if the client has disconnected. */
  taken: number;
  /** Buffers of whole pieces, for reuse: their garbage grows faster than it is collected. */
  spent?: ArrayBuffer[];
}

/** Bytes of a stream's body that the shard may send before the kernel has taken them. */
export const STREAM_WINDOW_BYTES = 256 * 1024;
/** Maximum size of a piece in bytes. */
export const STREAM_PIECE_BYTES = 64 * 1024;
export const STREAM_CANCELLED = -1;

/** Shard → HTTP thread: the handler reads. The first such message starts the transfer of pieces. */
export interface BodyCredit {
  slot: number;
  sequence: number;
  /** Bytes that the handler has taken since the last message. */
  taken: number;
  /** Buffers of pieces, for reuse. */
  spent: ArrayBuffer[];
}

/** HTTP thread → shard: a piece of a body, or its end. */
export interface BodyPiece {
  slot: number;
  sequence: number;
  /** The piece is the first `length` bytes. */
  bytes?: ArrayBuffer;
  length: number;
  /** Set on the last piece: the body is complete, or never will be. */
  last?: 'whole' | 'broken';
  /** With the last piece of a chunked body: names and values of its trailer fields, one after the other. */
  trailers?: string[];
}

/** Bytes of request bodies that one connection may have buffered before handlers read them. */
export const BODY_WINDOW_BYTES = 256 * 1024;
