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
  UnhandledRequest,
} from '../contract/messages.js';
import { piecesOf, SMALL_PIECE_BYTES, StreamBatch } from '../contract/stream-batch.js';
import { Clock } from '../core/clock.js';
import type { CoreMemory } from '../core/memory.js';
import { Turn } from '../core/turn.js';
import { type Group, mostShards } from '../options/scheduling.js';
import { Load } from './admission/load.js';

const NO_BYTES = new ArrayBuffer(0);

export interface ShardsOptions {
  /** The number of this HTTP thread. */
  http: number;
  /** Epoch of the server's clock. */
  epochMs: number;
  groups: readonly Group[];
  /** Maximum number of requests queued for each shard. */
  maxQueue: number;
  /** With `sync`, shards block while they sleep, and only their doorbells wake them. */
  park: 'async' | 'sync';
}

export interface ShardsEvents {
  /** A piece of a streamed response has arrived. */
  onStreamPiece(shard: number, piece: StreamPiece): void;
  /** A handler reads the body of its request. */
  onBodyCredit(shard: number, credit: BodyCredit): void;
  /** A handler sends an interim response. */
  onInterim(request: RequestName, bytes: Uint8Array): void;
  /** A handler wants its connection closed without a response. */
  onDestroy(request: RequestName): void;
  /** A completion has come from a shard whose channel is unknown: the control thread has sent it, so its messages must be read now. */
  onUnknown(): void;
}

/** All shards for one HTTP thread: submits slots, sends messages about single requests, and tracks the load. */
export class Shards {
  readonly core: CoreMemory;
  readonly map: MemoryMap;
  readonly clock: Clock;
  readonly groups: readonly Group[];
  readonly side: HttpSide;
  readonly load: Load;
  /** By group, in the order of `groups`. */
  readonly slots: readonly FreeSlots[];
  readonly #groupOf: readonly Group[];
  /** Shards with a thread: only these complete slots. */
  attached: readonly number[] = [];
  /** The channel to each shard, while it has a thread. */
  readonly #ports: (MessagePort | undefined)[];
  readonly #isSyncParked: boolean;
  /** Small pieces of bodies that were not sent yet, by shard. */
  readonly #gathered: (StreamBatch | undefined)[] = [];
  readonly #turn = new Turn(() => {
    for (let shard = 0; shard < this.#gathered.length; shard++) this.#sendGathered(shard);
  });
  #events: ShardsEvents | undefined;

  constructor(core: CoreMemory, map: MemoryMap, { http, epochMs, groups, maxQueue, park }: ShardsOptions) {
    this.core = core;
    this.map = map;
    this.clock = new Clock(epochMs);
    this.groups = groups;
    this.side = new HttpSide(core, map, http);
    // Requests of low priority may use half of a queue.
    this.load = new Load(this.side, Math.ceil(maxQueue / 2), map.httpThreads);
    this.slots = slotsByGroup(groups, core, map, this.side);
    this.#groupOf = groups.flatMap((group) => Array.from({ length: group.count }, () => group));
    this.#ports = new Array(map.shards).fill(undefined);
    this.#isSyncParked = park === 'sync';
  }

  /** Sets the receiver of the shards' messages. */
  set events(events: ShardsEvents) {
    this.#events = events;
  }

  /** Leaves out slots that a shard has started for the previous thread: each is free once the shard has given it back. */
  leaveOut(slots: readonly number[]): void {
    for (const free of this.slots) free.leaveOut(slots);
  }

  groupOf(shard: number): Group {
    return this.#groupOf[shard];
  }

  /**
   * Passes a slot that this thread has filled to `shard`.
   * @param bound only this shard may claim it
   */
  submit(slot: number, shard: number, bound: boolean): void {
    this.side.submit(slot, shard, bound);
    this.load.submitted(shard);
  }

  /** Records that `shard` no longer holds a request that was submitted to it. */
  completed(shard: number): void {
    this.load.completed(shard);
  }

  // ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A thread is about to run `shard`; `port` is this thread's end of the channel to it. */
  attach(shard: number, port: MessagePort): void {
    this.#ports[shard]?.close();
    this.#ports[shard] = port;
    this.#noteAttached();
    port.on('message', (report: RequestReport) => this.#onReport(shard, report));
    port.unref();
  }

  /** The thread of `shard` has ended: handles its messages and closes the channel. */
  detach(shard: number): void {
    this.#empty(shard);
    this.#ports[shard]?.close();
    this.#ports[shard] = undefined;
    this.#noteAttached();
  }

  /** Closes all channels: no shard has a thread. */
  close(): void {
    for (const port of this.#ports) port?.close();
  }

  #noteAttached(): void {
    this.attached = this.#ports.flatMap((port, shard) => (port === undefined ? [] : [shard]));
  }

  /** Handles the messages that `shard` has sent so far, in order. */
  receive(shard: number): void {
    // The shard is already running, but the message about its channel has not been read yet.
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
    else if (report.type === 'interim') this.#events?.onInterim(report, report.bytes);
    else this.#events?.onDestroy(report);
  }

  /** Tells `shard` what happened to a stream's bytes. */
  answerStream(shard: number, answer: StreamAnswer): void {
    this.#send(shard, { type: 'stream', answer }, answer.spent);
  }

  /**
   * Sends `shard` a piece of a request body that one of its handlers reads, or of what follows an upgrade. Small pieces of all clients are
   * sent together at the end of the turn.
   */
  sendBody(shard: number, piece: BodyPiece): void {
    const { slot, sequence, bytes, length, last } = piece;
    if (length <= SMALL_PIECE_BYTES && piece.trailers === undefined) {
      const small: StreamPiece = { slot, sequence, start: 0, end: length, bytes: bytes ?? NO_BYTES };
      if (last !== undefined) small.last = last;
      this.#gather(shard, small);
    } else this.#send(shard, { type: 'body', piece }, bytes === undefined ? [] : [bytes]);
  }

  #gather(shard: number, piece: StreamPiece): void {
    this.#gathered[shard] ??= new StreamBatch();
    const batch = this.#gathered[shard];
    if (!batch.add(piece)) {
      this.#sendGathered(shard);
      batch.add(piece);
    }
    this.#turn.schedule();
  }

  #sendGathered(shard: number): void {
    const gathered = this.#gathered[shard];
    if (gathered === undefined || gathered.isEmpty) return;
    const batch = gathered.take();
    this.#post(shard, { type: 'bodies', batch }, [batch]);
  }

  /**
   * Tells `shard` that the client of request `sequence` in `slot` no longer waits for the response.
   * @param isGone the response cannot be sent
   */
  abort(shard: number, slot: number, sequence: number, isGone: boolean): void {
    this.#send(shard, { type: 'abort', slot, sequence, isGone });
  }

  /** Tells `shard` that request `sequence` in `slot` got 504: the slot is to be given back without a response. */
  abandon(shard: number, slot: number, sequence: number): void {
    this.#send(shard, { type: 'abandon', slot, sequence });
  }

  /** Tells `shard` what became of responses (src/contract/sent-reports.ts). */
  sendReports(shard: number, reports: Float64Array<ArrayBuffer>): void {
    this.#post(shard, { type: 'sent', reports }, [reports.buffer]);
  }

  /** Tells `shard` about requests that no handler has responded to. */
  sendUnhandled(shard: number, requests: readonly UnhandledRequest[]): void {
    this.#post(shard, { type: 'unhandled', requests }, []);
  }

  /** @param transfer buffers that the caller loses */
  #send(shard: number, command: RequestCommand, transfer: ArrayBuffer[] = []): void {
    // Messages keep their order.
    this.#sendGathered(shard);
    this.#post(shard, command, transfer);
  }

  #post(shard: number, command: RequestCommand, transfer: ArrayBuffer[]): void {
    this.#ports[shard]?.postMessage(command, transfer);
    if (this.#isSyncParked) this.side.words.wake(shard);
  }
}

/** Divides the slots in proportion to the shards that may run at a time. */
function slotsByGroup(groups: readonly Group[], core: CoreMemory, map: MemoryMap, { range }: HttpSide): FreeSlots[] {
  const all = mostShards(groups);
  const boundary = (shards: number) => range.first + Math.floor(((range.end - range.first) * shards) / all);
  let before = 0;
  return groups.map(({ most }) => {
    const first = boundary(before);
    before += most;
    return new FreeSlots(core, map, first, boundary(before) - first);
  });
}
