/* What the control thread and an HTTP thread that is a worker say to each other. Each thread has one channel. */
import type { AddressInfo } from 'node:net';
import type { MessagePort } from 'node:worker_threads';
import type { ErrorText } from '../contract/describe.js';
import type { RouteTable } from '../contract/messages.js';
import type { Refusal } from '../contract/refusal.js';
import type { SharedCore } from '../core/memory.js';
import type { HttpControlOptions, HttpFailure, HttpStats } from './http-control.js';
import type { HttpNews } from './news.js';

/** What an HTTP thread is started with. */
export interface HttpStart {
  core: SharedCore;
  options: HttpControlOptions;
  /** URL of the module with the functions that run on HTTP threads, if there is one. */
  httpModule: string | undefined;
  /** The thread's end of the channel. */
  channel: MessagePort;
  /** A word that the thread raises, and wakes, when it has answered `stats`. */
  answered: Int32Array<SharedArrayBuffer>;
}

/** Control thread → HTTP thread. */
export type HttpCommand =
  | HttpNews
  | { type: 'attach'; shard: number; port: MessagePort }
  /** The thread of `shard` has exited. To be answered with `takenBack`. */
  | { type: 'ended'; shard: number }
  /**
   * To be answered with `begun`, or a refusal. From then on the thread's slots are its own.
   * @param unsettled those that a shard has started for the thread whose place this one takes
   */
  | { type: 'begin'; table: RouteTable; unsettled: readonly number[] }
  /** To be answered with `listening`, or a refusal. `port`: in place of the one of the options. */
  | { type: 'listen'; port: number | undefined }
  /** To be answered as soon as the event loop turns. */
  | { type: 'ping' }
  /** To be answered with `drained`. */
  | { type: 'drain' }
  /** To be answered with `stats`; then `answered` is raised. */
  | { type: 'stats' }
  /** To be answered with `stats`; then the thread ends. */
  | { type: 'end' };

/** HTTP thread → control thread. */
export type HttpReport =
  | Refusal
  /** It can be given routes. */
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
