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
  core: SharedCore;
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
  | { type: 'attach'; shard: number; port: MessagePort }
  /** The thread of `shard` has exited. Reply: `takenBack`. */
  | { type: 'ended'; shard: number }
  /**
   * Reply: `begun`, or a refusal. From then on the thread owns its slots.
   * @param unsettled slots that a shard has started for the previous thread with this number
   */
  | { type: 'begin'; routes: CountedRoutes; unsettled: readonly number[] }
  /** Reply: `listening`, or a refusal. `port` replaces the one in the options. */
  | { type: 'listen'; port: number | undefined }
  /** Reply as soon as the event loop turns. */
  | { type: 'ping' }
  /** Reply: `drained`. */
  | { type: 'drain' }
  /** Reply: `stats`; then `answered` is incremented. */
  | { type: 'stats' }
  /** Reply: `stats`; then the thread ends. */
  | { type: 'end' };

/** HTTP thread → control thread. */
export type HttpReport =
  | Refusal
  /** The thread is ready to receive routes. */
  | { type: 'loaded' }
  | { type: 'begun' }
  | { type: 'listening'; address: AddressInfo }
  | { type: 'takenBack'; shard: number }
  | { type: 'pong' }
  | { type: 'drained' }
  | { type: 'stats'; stats: HttpStats }
  | { type: 'shedding'; shard: number; shedding: boolean }
  | { type: 'failure'; what: HttpFailure; error: ErrorText }
  /** Lines of the access log, oldest first. */
  | { type: 'log'; lines: LogLine[] };

export interface LogLine {
  details: object;
  message: string;
}
