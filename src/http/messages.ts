/* Messages between the control thread and an HTTP thread that is a worker. Each thread has one channel. */
import type { AddressInfo } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import type { ErrorText } from '../contract/describe.js';
import type { Refusal } from '../contract/refusal.js';
import type { SharedCore } from '../core/memory.js';
import type { HttpControlOptions, HttpFailure, HttpStats } from './http-control.js';
import type { CountedRoutes } from './http-thread.js';
import type { HttpNews } from './news.js';

/** Start options of an HTTP thread. */
export interface HttpStart {
  options: HttpControlOptions;
  /** URL of the module with the functions that run on HTTP threads, if any. */
  httpModule: string | undefined;
  /** The thread's end of the channel. */
  channel: MessagePort;
  /** A word that the thread increments, and notifies, when it has replied to `stats`. */
  answered: Int32Array<SharedArrayBuffer>;
}

/** Control thread → HTTP thread. */
export type HttpCommand =
  | HttpNews
  /** Prepare for messages about the shards of a revision, which have this memory. */
  | { type: 'open'; revision: number; core: SharedCore }
  | { type: 'attach'; revision: number; shard: number; port: MessagePort }
  /** The thread of `shard` has exited. Reply: `takenBack`. */
  | { type: 'ended'; revision: number; shard: number }
  /** Reply: `done` or `failed`, with the same `id`. */
  | { type: 'order'; id: number; order: HttpOrder }
  /** Reply as soon as the event loop turns. */
  | { type: 'ping' }
  /** Reply: `stats`; then `answered` is incremented. */
  | { type: 'stats' }
  /** Reply: `stats`; then the thread ends. */
  | { type: 'end' };

/** What the control thread waits for: as the methods of `HttpControl` with these names. */
export type HttpOrder =
  | { type: 'prepare'; revision: number; routes: CountedRoutes; unsettled: readonly number[] }
  | { type: 'switchTo'; revision: number }
  | { type: 'drained'; revision: number }
  | { type: 'forget'; revision: number }
  | { type: 'listen'; port: number | undefined }
  | { type: 'drain' };

/** HTTP thread → control thread. */
export type HttpReport =
  /** The thread cannot begin, and ends. */
  | Refusal
  /** The thread has loaded its modules. */
  | { type: 'loaded' }
  | { type: 'done'; id: number }
  | { type: 'failed'; id: number; refusal: Refusal }
  | { type: 'listening'; address: AddressInfo }
  | { type: 'takenBack'; revision: number; shard: number }
  | { type: 'pong' }
  | { type: 'stats'; stats: HttpStats }
  | { type: 'shedding'; revision: number; shard: number; shedding: boolean }
  | { type: 'failure'; what: HttpFailure; error: ErrorText }
  /** Lines of the access log, oldest first. */
  | { type: 'log'; lines: LogLine[] };

export interface LogLine {
  details: object;
  message: string;
}
