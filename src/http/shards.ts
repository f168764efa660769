import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { FreeSlots } from '../contract/free-slots.js';
import { HttpSide } from '../contract/http-side.js';
import type { MemoryMap } from '../contract/memory-map.js';
import type {
  BodyCredit,
  BodyPiece,
  RequestCommand,
  RequestName,
  RequestReport,
  StreamAnswer,
  StreamPiece,
} from '../contract/messages.js';
import { piecesOf } from '../contract/stream-batch.js';
import { Clock } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import type { Group } from '../options/scheduling.js';
import { Load } from './admission/load.js';

export interface ShardsOptions {
  /** The number of the HTTP thread that this is for. */
  http: number;
  /** Of the server's clock. */
  epochMs: number;
  groups: readonly Group[];
  /** Requests that may wait for each shard. */
  maxQueue: number;
  /** Shards block while they sleep, and hear nothing but their doorbells. */
  park: 'async' | 'sync';
}

export interface ShardsEvents {
  /** A part of a response that is streamed. */
  onStreamPiece(shard: number, piece: StreamPiece): void;
  /** A handler reads the body of its request. */
  onBodyCredit(shard: number, credit: BodyCredit): void;
  /** A handler wants its connection closed without a response. */
  onDestroy(request: RequestName): void;
  /** A shard has given something back whose channel is not known: what the control thread has said so far tells of it. */
  onUnknown(): void;
}

/** All shards as an HTTP thread sees them: what it submits, what it says about single requests, and how much each has to do. */
export class Shards {
  readonly core: CoreMemory;
  readonly map: MemoryMap;
  readonly clock: Clock;
  readonly groups: readonly Group[];
  readonly side: HttpSide;
  readonly load: Load;
  /** Of each group, in the order of `groups`. */
  readonly slots: readonly FreeSlots[];
  readonly #groupOf: readonly Group[];
  /** To each shard, while it has a thread. */
  readonly #ports: (MessagePort | undefined)[];
  readonly #isSyncParked: boolean;
  #events: ShardsEvents | undefined;

  constructor(core: CoreMemory, map: MemoryMap, { http, epochMs, groups, maxQueue, park }: ShardsOptions) {
    this.core = core;
    this.map = map;
    this.clock = new Clock(epochMs);
    this.groups = groups;
    this.side = new HttpSide(core, map, http);
    // Half of a queue is for those who are not low.
    this.load = new Load(this.side, Math.ceil(maxQueue / 2), map.httpThreads);
    this.slots = groups.map((group) => slotsOf(group, core, map, this.side));
    this.#groupOf = groups.flatMap((group) => Array.from({ length: group.count }, () => group));
    this.#ports = new Array(map.shards).fill(undefined);
    this.#isSyncParked = park === 'sync';
  }

  /** Who is told what shards say from now on. */
  set events(events: ShardsEvents) {
    this.#events = events;
  }

  /** Slots whose requests a shard has started for a thread that has ended are free once the shard has given them back. */
  leaveOut(slots: readonly number[]): void {
    for (const free of this.slots) free.leaveOut(slots);
  }

  groupOf(shard: number): Group {
    return this.#groupOf[shard];
  }

  /**
   * Passes a slot that this thread has filled to `shard`.
   * @param bound no other shard may claim it
   */
  submit(slot: number, shard: number, bound: boolean): void {
    this.side.submit(slot, shard, bound);
    this.load.submitted(shard);
  }

  /** A request that was submitted to `shard` is not its any more. */
  completed(shard: number): void {
    this.load.completed(shard);
  }

  // ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A thread is about to run `shard`; `port` is this thread's end of the channel to it. */
  attach(shard: number, port: MessagePort): void {
    this.#ports[shard]?.close();
    this.#ports[shard] = port;
    port.on('message', (report: RequestReport) => this.#onReport(shard, report));
    port.unref();
  }

  /** The thread of `shard` has ended: takes what it has sent, and closes the channel. */
  detach(shard: number): void {
    this.#empty(shard);
    this.#ports[shard]?.close();
    this.#ports[shard] = undefined;
  }

  /** Takes what `shard` has sent so far, in the order in which it was sent. */
  receive(shard: number): void {
    // The shard runs already, and what is said of it has not been read yet.
    if (this.#ports[shard] === undefined) this.#events?.onUnknown();
    this.#empty(shard);
  }

  #empty(shard: number): void {
    const port = this.#ports[shard];
    if (port === undefined) return;
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
      this.#onReport(shard, got.message);
    }
  }

  #onReport(shard: number, report: RequestReport): void {
    if (report.type === 'stream') this.#events?.onStreamPiece(shard, report.piece);
    else if (report.type === 'streams') {
      for (const piece of piecesOf(report.batch)) this.#events?.onStreamPiece(shard, piece);
    } else if (report.type === 'body') this.#events?.onBodyCredit(shard, report.credit);
    else this.#events?.onDestroy(report);
  }

  /** Tells `shard` what became of a stream's bytes. */
  answerStream(shard: number, answer: StreamAnswer): void {
    this.#send(shard, { type: 'stream', answer }, answer.spent);
  }

  /** Sends `shard` a piece of a request body that one of its handlers reads. */
  sendBody(shard: number, piece: BodyPiece): void {
    this.#send(shard, { type: 'body', piece }, piece.bytes === undefined ? [] : [piece.bytes]);
  }

  /**
   * Tells `shard` that nobody waits for the request `sequence` in `slot` any more.
   * @param isGone its response cannot be sent
   */
  abort(shard: number, slot: number, sequence: number, isGone: boolean): void {
    this.#send(shard, { type: 'abort', slot, sequence, isGone });
  }

  /** Tells `shard` that the request `sequence` in `slot` was answered for its handler: the slot comes back without a response. */
  abandon(shard: number, slot: number, sequence: number): void {
    this.#send(shard, { type: 'abandon', slot, sequence });
  }

  /** @param transfer buffers that are lost to the caller */
  #send(shard: number, command: RequestCommand, transfer: ArrayBuffer[] = []): void {
    this.#ports[shard]?.postMessage(command, transfer);
    if (this.#isSyncParked) this.side.words.wake(shard);
  }
}

/** Slots in proportion to shards. */
function slotsOf({ first, count }: Group, core: CoreMemory, map: MemoryMap, { range }: HttpSide): FreeSlots {
  const boundary = (shard: number) => range.first + Math.floor(((range.end - range.first) * shard) / map.shards);
  return new FreeSlots(core, map, boundary(first), boundary(first + count) - boundary(first));
}
