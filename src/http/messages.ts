/* What the control thread and an HTTP thread that is a worker say to each other. Each thread has one channel. */
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { MessagePort } from 'node:worker_threads';
import type { ErrorText } from '../contract/describe.js';
import type { RouteTable } from '../contract/messages.js';
import type { Refusal } from '../contract/refusal.js';
import type { SharedCore } from '../core/memory.js';
import type { HttpControlOptions, HttpFailure, HttpStats } from './http-control.js';

/** What an HTTP thread is started with. */
export interface HttpStart {
  core: SharedCore;
  options: HttpControlOptions;
  /** URL of the module with the functions that run on HTTP threads, if there is one. */
  httpModule: string | undefined;
  /** The thread's end of the channel. */
  channel: MessagePort;
  /** Slots whose requests a shard has started for the thread whose place this one takes. */
  unsettled: readonly number[];
  /** A word that the thread raises, and wakes, when it has answered `stats`. */
  answered: Int32Array<SharedArrayBuffer>;
}

/** Control thread → HTTP thread. */
export type HttpCommand =
  | { type: 'attach'; shard: number; port: MessagePort }
  | { type: 'state'; shard: number; state: string; isReplaced: boolean }
  /** The thread of `shard` has exited. To be answered with `takenBack`. */
  | { type: 'ended'; shard: number }
  | { type: 'missing'; shard: number }
  | { type: 'stalled'; group: string; stalled: boolean }
  /** Some HTTP thread sheds requests for the shard, or none does any more. */
  | { type: 'shedding'; shard: number; shedding: boolean }
  /** The limit of a route was changed. */
  | { type: 'permits' }
  /** To be answered with `begun`, or a refusal. */
  | { type: 'begin'; table: RouteTable }
  /** To be answered with `listening`, or a refusal. `port`: in place of the one of the options. */
  | { type: 'listen'; port: number | undefined }
  | { type: 'secureContext'; options: SecureContextOptions }
  | { type: 'leave'; ms: number }
  /** To be answered with `drained`. */
  | { type: 'drain' }
  | { type: 'destroy' }
  /** To be answered with `stats`; then `answered` is raised. */
  | { type: 'stats' };

/** HTTP thread → control thread. */
export type HttpReport =
  | Refusal
  | { type: 'begun' }
  | { type: 'listening'; address: AddressInfo }
  | { type: 'takenBack'; shard: number }
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
