/*
 * What the threads say to each other beside the shared memory: the route table, and the messages of the channels. Each thread
 * of a shard has one channel to the control thread, which owns its life, and one to each HTTP thread, for what belongs to
 * single requests. Messages of one channel keep their order.
 */
import type { Histogram } from 'node:perf_hooks';
import type { MessagePort } from 'node:worker_threads';
import type { SharedCore } from '../core/memory.js';
import type { CompressRules } from '../options/compression.js';
import type { Method } from '../options/methods.js';
import type { RouteScheduling } from '../options/scheduling.js';
import type { TrustProxyRule } from '../options/trust-proxy.js';
import type { CorsRules } from './cors.js';
import type { ErrorText } from './describe.js';
import type { Refusal } from './refusal.js';

/** A slot that carries a request for the not-found handler has this for a route. */
export const NOT_FOUND_ROUTE = -1;

/** What the HTTP thread knows of a route. Its position in the table is its number. */
export interface RouteEntry {
  methods: readonly Method[];
  /** A find-my-way pattern. */
  pattern: string;
  scheduling: RouteScheduling;
  /** Request bodies are read as streams. */
  isStreamed?: true;
  /** Largest request body, in place of the server's limit; `Infinity` for any size. */
  maxBodyBytes?: number;
  /** What the HTTP thread answers by itself; then no shard has a handler for it. */
  fixed?: FixedBody;
}

/** A body that is always the same. */
export interface FixedBody {
  type: string;
  bytes: Uint8Array;
}

/** What the HTTP thread sends when it answers in place of a handler (src/app/refusals.ts). */
export interface RefusalTemplate {
  /** A status, `4xx`, `5xx`, or nothing for all. */
  status: string | undefined;
  /** Header fields, as lines without their ends. */
  lines: readonly string[];
  type: string;
  /** With `{statusCode}`, `{code}` and `{message}`; nothing for the standard body. */
  body: string | undefined;
}

export interface RouteTable {
  routes: RouteEntry[];
  hasNotFound: boolean;
  /** The later ones count more, of those that are as specific. */
  refusals: readonly RefusalTemplate[];
  cors?: CorsRules;
}

/** What has to be the same on every shard. Fixed bodies need not: the first shard's are sent. */
export function comparable(table: RouteTable): object {
  return { ...table, routes: table.routes.map(({ fixed, ...route }) => ({ ...route, isFixed: fixed !== undefined })) };
}

/** A shard's end of the channel to an HTTP thread, and which of the threads with that number it leads to. */
export interface HttpEnd {
  port: MessagePort;
  generation: number;
}

/** Names a request. */
export interface RequestName {
  slot: number;
  sequence: number;
}

/** The name as one number, for maps. */
export function requestKey({ slot, sequence }: RequestName): number {
  return slot * 2 ** 32 + (sequence >>> 0);
}

/** What a shard is started with. */
export interface ShardStart {
  shard: number;
  /** The shards of its group, its own number included. */
  group: { name: string; first: number; count: number };
  core: SharedCore;
  /** Of the server's clock. */
  epochMs: number;
  /** URL of the user's module. */
  module: string;
  /** The shard's end of the channel to the control thread. */
  channel: MessagePort;
  /** The shard's end of the channel to each HTTP thread. */
  requests: readonly HttpEnd[];
  /** What the module must define; nothing for the first shard of a server, whose table the others must match. */
  table: RouteTable | undefined;
  batch: number;
  park: 'async' | 'sync';
  /** It may claim from the rings of others of its group. */
  steal: boolean;
  /** Priority of the thread for the system, 0 to 19; higher numbers give way. */
  nice: number;
  /** Bounds between which the shard moves its permits, or nothing for a fixed number. */
  adaptive: { min: number; max: number } | undefined;
  /** What an exception that nobody caught does. */
  onUncaught: 'replace' | 'exit' | 'continue';
  /** What a shard gets to end in order and be replaced. */
  graceMs: number;
  /** Handlers that may run on after their requests were answered with 504 before the shard says so; 0 for any number. */
  maxAbandoned: number;
  /** Responses that the shard may stream at a time. */
  maxStreams: number;
  maxResponseBytes: number;
  compress: CompressRules | undefined;
  /** Name of the field that names requests, in lower case. */
  requestId: string | undefined;
  /** Which proxies are believed what they say of clients. */
  trustProxy: TrustProxyRule;
  /** Lines of each response head that say how long the connection may be idle. */
  keepAliveLines: string;
}

/** In microseconds. A clone on another thread sees what the shard records. */
export interface ShardHistograms {
  /** From submission to the start of the handler. */
  queueTime: Histogram;
  /** From the start of the handler until it settles. */
  handlerTime: Histogram;
  /** Not a time: slots of a claim. */
  batchSize: Histogram;
}

/** Control thread → shard. */
export type ShardCommand =
  /** The control thread has seen the shard ready: it may claim. Sent once to each thread. */
  | { type: 'go' }
  /** There may be more permits than there were. */
  | { type: 'permits' }
  /** To be answered as soon as the shard's event loop turns. */
  | { type: 'ping' }
  /** An HTTP thread has ended: nobody waits for these requests any more, which some shard has started, nor for streams of that thread. */
  | { type: 'gone'; http: number; requests: readonly RequestName[] }
  /** Another thread takes its place. */
  | { type: 'http'; http: number; end: HttpEnd }
  /** The server is closing, or this thread is to end: responses that are streams are told. */
  | { type: 'drain' }
  /** Claim no more, let what was started settle within `handlersMs`, and end, within `graceMs`. */
  | { type: 'close'; handlersMs: number; graceMs: number };

/** HTTP thread → shard. */
export type RequestCommand =
  /**
   * Nobody waits for the request any more, as far as the HTTP thread can tell.
   * @param isGone the response cannot be sent: a stream is let go of
   */
  | { type: 'abort'; slot: number; sequence: number; isGone: boolean }
  /** It was answered for its handler, which has taken too long: the slot comes back without a response. */
  | { type: 'abandon'; slot: number; sequence: number }
  | { type: 'stream'; answer: StreamAnswer }
  | { type: 'body'; piece: BodyPiece };

/** Shard → HTTP thread. */
export type RequestReport =
  | { type: 'stream'; piece: StreamPiece }
  /** Small pieces together (src/contract/stream-batch.ts). */
  | { type: 'streams'; batch: ArrayBuffer }
  | { type: 'body'; credit: BodyCredit }
  /** The connection is to be closed without a response. */
  | { type: 'destroy'; slot: number; sequence: number };

/** An error on its way to the logger of the control thread. */
export interface FailureReport {
  type: 'failure';
  message: string;
  error: ErrorText;
  request?: { id: string; method: string; target: string };
}

/** Shard → control thread. */
export type ShardReport =
  /** The thread runs, and is about to load the module. */
  | { type: 'loading' }
  /** It cannot begin: an error in plain strings, as clones of errors lose their codes. The thread ends. */
  | Refusal
  /** The module is loaded. The shard waits for `go`. */
  | { type: 'ready'; table: RouteTable; histograms: ShardHistograms }
  | { type: 'pong' }
  /** The app listens for a signal, which does not arrive on a shard. Sent once. */
  | { type: 'signalListener'; signal: string }
  /** Nobody caught an exception. The shard claims nothing more and ends, if `ends`. */
  | { type: 'uncaught'; error: ErrorText; request?: FailureReport['request']; ends: boolean }
  /** More than `maxAbandoned` handlers run on whose requests were answered for them. */
  | { type: 'crowded' }
  /** As many responses are being streamed as may be: further ones are refused. */
  | { type: 'streamsFull' }
  | FailureReport;

/** Shard → HTTP thread: a piece of a response body as it goes over the wire, or its end. */
export interface StreamPiece {
  slot: number;
  /** Of the request. */
  sequence: number;
  /** What lies in `bytes` from `start` to `end`. */
  bytes?: ArrayBuffer;
  start: number;
  end: number;
  /** The first piece of a response begins with its head, of so many bytes. */
  headBytes?: number;
  /** With the first piece: the end of the body is the end of the connection. */
  closes?: boolean;
  /** With the first piece: bytes of the body, if that is known. */
  bodyBytes?: number;
  /** Nothing follows: the body is whole, or will never be. */
  last?: 'whole' | 'broken';
}

/** HTTP thread → shard: what became of a stream's bytes. */
export interface StreamAnswer {
  slot: number;
  sequence: number;
  /** Bytes of the body that the kernel has taken, or -1: nobody waits for the rest. */
  taken: number;
  /** Buffers of whole pieces, to be used again: garbage of this kind grows faster than it is collected. */
  spent?: ArrayBuffer[];
}

/** Bytes of a stream's body that the shard may have sent while the kernel has not taken them. */
export const STREAM_WINDOW_BYTES = 256 * 1024;
/** Bytes of a piece, at the most. */
export const STREAM_PIECE_BYTES = 64 * 1024;
export const STREAM_CANCELLED = -1;

/** Shard → HTTP thread: the handler reads. The first such message has the pieces sent. */
export interface BodyCredit {
  slot: number;
  sequence: number;
  /** Bytes that the handler has taken since the last message. */
  taken: number;
  /** Buffers of pieces, to be used again. */
  spent: ArrayBuffer[];
}

/** HTTP thread → shard: a piece of a body, or its end. */
export interface BodyPiece {
  slot: number;
  sequence: number;
  /** The first `length` bytes of it. */
  bytes?: ArrayBuffer;
  length: number;
  /** Nothing follows: the body is whole, or will never be. */
  last?: 'whole' | 'broken';
}

/** Bytes of request bodies that one connection may have sent while no handler has taken them. */
export const BODY_WINDOW_BYTES = 256 * 1024;
