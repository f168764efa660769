import type { MessagePort } from 'node:worker_threads';
import type { RawReply } from '../../app/raw.js';
import {
  STREAM_CANCELLED,
  STREAM_PIECE_BYTES,
  STREAM_WINDOW_BYTES,
  type StreamPiece,
} from '../../contract/messages.js';
import type { RawTaskStream, Task } from '../tasks.js';
import type { StreamOutbox } from './outbox.js';
import { PieceBuffer } from './piece-buffer.js';

/** The app writes the head with the body. */
const NO_HEAD = new Uint8Array(0);

export interface RawStreamEvents {
  /**
   * Called before anything is sent.
   * @throws LoopShardError TOO_MANY_STREAMS
   */
  open(task: Task): void;
  /** Called if the stream cannot begin: another response can be sent. */
  onFailed(task: Task, error: unknown): void;
  /** Called when the beginning was sent and more will follow. */
  onBegun(task: Task): void;
  /** Called when everything that was written was sent. */
  onFlushed(task: Task): void;
  /** Called when nobody waits for the stream any more. */
  onCancelled(task: Task): void;
  /** Called when nothing more is sent. */
  onEnded(task: Task): void;
}

/** A response that the app forms itself, sent as it is written. Shard only. */
export class RawStream implements RawTaskStream {
  readonly #task: Task;
  readonly #raw: RawReply;
  readonly #outbox: StreamOutbox;
  readonly #port: MessagePort;
  readonly #events: RawStreamEvents;
  #pieces: PieceBuffer | undefined;
  /** What does not fit the current piece. */
  #rest: Uint8Array | undefined;
  #restAt = 0;
  /** Number of bytes that were sent but not yet taken by the kernel. */
  #untaken = 0;
  #isScheduled = false;
  /** Bytes wait for the client to take earlier ones. */
  #isStalled = false;
  /** The last byte was sent. An upgraded connection is not over then. */
  #isSent = false;
  #isOver = false;
  isBegun = false;
  isHeadSent = false;

  /** @param port channel to the HTTP thread of the request */
  constructor(task: Task, raw: RawReply, outbox: StreamOutbox, port: MessagePort, events: RawStreamEvents) {
    this.#task = task;
    this.#raw = raw;
    this.#outbox = outbox;
    this.#port = port;
    this.#events = events;
  }

  /**
   * Opens the stream of an upgraded connection before anything is written.
   * @returns `false` if that failed
   */
  open(): boolean {
    return this.#open();
  }

  /** Sends what was written within this turn of the event loop together; a full piece immediately. */
  onWritten(): boolean {
    if (this.#isOver || this.#isSent || this.#isStalled) return false;
    const waiting = this.#raw.mostBytes + (this.#pieces?.length ?? 0);
    if (this.isBegun && waiting >= STREAM_PIECE_BYTES) this.#send();
    else {
      if (!this.#isScheduled) this.#outbox.schedule(this);
      this.#isScheduled = true;
      // A response may yet be sent in another way.
      if (this.#raw.isUpgrade) this.#fill(this.#pieces!);
    }
    return this.#raw.mostBytes === 0 && this.#rest === undefined;
  }

  flush(): void {
    this.#isScheduled = false;
    if (!this.#isOver && !this.#isSent && !this.#isStalled) this.#send();
  }

  onTaken(bytes: number, spent: ArrayBuffer[] = []): void {
    if (bytes === STREAM_CANCELLED) return this.cancel();
    this.#untaken -= bytes;
    this.#pieces?.reuse(spent);
    if (!this.#isStalled || this.#isOver || this.#isSent) return;
    this.#isStalled = false;
    this.#send();
  }

  drop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#pieces !== undefined) this.#events.onEnded(this.#task);
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onCancelled(this.#task);
    this.#events.onEnded(this.#task);
  }

  breakOff(): void {
    if (this.#isOver) return;
    this.#post('broken');
    this.#isOver = true;
    this.#events.onEnded(this.#task);
  }

  close(): void {
    if (this.#isOver) return;
    const pieces = this.#pieces!;
    if (!this.#isSent && !this.#isStalled) while (this.#fill(pieces) && this.#mayPost(pieces)) this.#post(undefined);
    this.breakOff();
  }

  #send(): void {
    if (this.#pieces === undefined && !this.#open()) return;
    const pieces = this.#pieces!;
    while (this.#fill(pieces)) {
      if (!this.#mayPost(pieces)) return;
      this.#post(undefined);
    }
    const { isComplete: isLast, isUpgrade } = this.#raw;
    // That a connection was taken over is said before the app has written anything.
    if (pieces.length > 0 || isLast || (isUpgrade && !this.isBegun)) {
      if (!this.#mayPost(pieces)) return;
      this.#post(isLast ? 'whole' : undefined);
    }
    this.#isSent = isLast;
    if (!isLast || isUpgrade) return this.#events.onFlushed(this.#task);
    this.#isOver = true;
    this.#events.onEnded(this.#task);
  }

  #open(): boolean {
    try {
      this.#events.open(this.#task);
    } catch (error) {
      this.#isOver = true;
      this.#events.onFailed(this.#task, error);
      return false;
    }
    this.#pieces = new PieceBuffer(false, NO_HEAD);
    return true;
  }

  /** Gathers what was written. Returns `true` if a piece is full and more may follow. */
  #fill(pieces: PieceBuffer): boolean {
    while (!pieces.isFull) {
      this.#rest ??= this.#raw.shift();
      if (this.#rest === undefined) return false;
      this.#restAt += pieces.add(this.#rest, this.#restAt);
      if (this.#restAt < this.#rest.length) continue;
      this.#rest = undefined;
      this.#restAt = 0;
    }
    return true;
  }

  #mayPost(pieces: PieceBuffer): boolean {
    this.#isStalled = this.#untaken + pieces.length > STREAM_WINDOW_BYTES;
    return !this.#isStalled;
  }

  #post(last: StreamPiece['last']): void {
    const pieces = this.#pieces!;
    const isFirst = !this.isBegun;
    const taken = pieces.take(false);
    const { bytes, start, end } = taken;
    // The first piece is not counted: the HTTP thread treats it as part of the response.
    if (!isFirst) this.#untaken += end - start;
    const { slot, sequence } = this.#task;
    const piece: StreamPiece = { slot, sequence, bytes, start, end };
    const { closes, isFramed, isUpgrade } = this.#raw;
    if (isFirst) Object.assign(piece, { headBytes: 0, closes, isFramed, ...(isUpgrade && { upgrades: true }) });
    if (last !== undefined) piece.last = last;
    this.isBegun = true;
    const goesOn = last === undefined || (isUpgrade && last === 'whole');
    const onSent = isFirst && goesOn ? () => this.#begun() : undefined;
    if (!this.#outbox.post(this.#port, piece, onSent)) pieces.giveBack(taken);
  }

  #begun(): void {
    this.isHeadSent = true;
    this.#events.onBegun(this.#task);
  }
}
