import { clearTimeout, setTimeout } from 'node:timers';
import type { MessagePort } from 'node:worker_threads';
import { STREAM_CANCELLED, STREAM_WINDOW_BYTES, type StreamPiece } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import type { NO_ROOM, WRITTEN } from '../response/responder.js';
import type { Task, TaskStream } from '../tasks.js';
import type { StreamOutbox } from './outbox.js';
import type { PieceBuffer } from './piece-buffer.js';
import { toBytes } from './stream-source.js';

/** How long a source may take to end before its request is finished without it. A generator that awaits cannot be interrupted. */
const LET_GO_MS = 1_000;

/** State of a stream once it has its first chunk. */
export interface OpenedStream {
  /** Gathers the head and the body. */
  pieces: PieceBuffer;
  headBytes: number;
  /** The end of the connection marks the end of the body. */
  closes: boolean;
  /** Length of the body in bytes, if known or declared. */
  length: number | undefined;
  /** Compressed bytes to send instead of the source, including its first chunk. */
  instead: AsyncIterator<unknown> | undefined;
}

/** The first chunk. It determines the content type if the handler has set none. */
export interface FirstChunk {
  bytes: Uint8Array;
  isText: boolean;
}

/** Callbacks of streams. */
export interface StreamEvents {
  /**
   * Builds the head once the first chunk, or the end, is known. If the response has no body, it is written, or waits for an extent.
   * @param length length of the body in bytes, if known
   * @throws LoopShardError HEADER_INVALID, TOO_MANY_STREAMS
   */
  open(
    task: Task,
    length: number | undefined,
    first: FirstChunk | undefined,
    source: AsyncIterator<unknown>,
  ): OpenedStream | Bodiless;
  /** Called if the response has no body and is not streamed. */
  onBodiless(task: Task, outcome: Bodiless): void;
  /** Called if the stream failed before the head was built: another response can be sent. */
  onFailed(task: Task, error: unknown): void;
  /** Called when the head was sent and more will follow. */
  onBegun(task: Task): void;
  /** Called when nobody waits for the stream any more. */
  onCancelled(task: Task): void;
  /** Called if the source has not ended within `LET_GO_MS`. If it ends later, the stream's final callback still follows. */
  onHeld(task: Task): void;
  /** Called when everything was sent. */
  onEnded(task: Task): void;
  /** Called if the stream failed after the head was sent. The connection will be closed. */
  onBroken(task: Task, error: unknown): void;
}

export type Bodiless = typeof WRITTEN | typeof NO_ROOM;

/** A response body, pulled from its source as fast as the client reads it. Shard only. */
export class OutgoingStream implements TaskStream {
  readonly #task: Task;
  readonly #outbox: StreamOutbox;
  readonly #port: MessagePort;
  /** Length of the body in bytes, if known. */
  readonly #length: number | undefined;
  readonly #events: StreamEvents;
  #source: AsyncIterator<unknown>;
  #opened: OpenedStream | undefined;
  /** Number of bytes that the source has yielded. */
  #yielded = 0;
  /** Number of bytes that were sent but not yet taken by the kernel. */
  #untaken = 0;
  #isHeadSent = false;
  #isCancelled = false;
  #isOver = false;
  #flushScheduled = false;
  #wake: (() => void) | undefined;

  /**
   * @param port channel to the HTTP thread of the request
   * @param length length of the body in bytes, if known
   */
  constructor(
    task: Task,
    source: AsyncIterator<unknown>,
    length: number | undefined,
    outbox: StreamOutbox,
    port: MessagePort,
    events: StreamEvents,
  ) {
    this.#task = task;
    this.#source = source;
    this.#length = length;
    this.#outbox = outbox;
    this.#port = port;
    this.#events = events;
  }

  get isBegun(): boolean {
    return this.#opened !== undefined;
  }

  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** Sends everything and reports the result. */
  async run(): Promise<void> {
    try {
      await this.#task.scope.runInAsyncScope(() => this.#pump());
    } catch (error) {
      if (!this.#isCancelled) this.#fail(error);
    }
  }

  onTaken(bytes: number, spent: ArrayBuffer[] = []): void {
    if (bytes === STREAM_CANCELLED) return this.cancel();
    this.#untaken -= bytes;
    this.#opened?.pieces.reuse(spent);
    if (this.#flushScheduled) this.flush();
    this.#wake?.();
  }

  async #pump(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#source.next();
      if (this.#isCancelled) return;
      const chunk = done === true ? undefined : toBytes(value);
      if (this.#opened === undefined) {
        const first = chunk && { bytes: chunk, isText: typeof value === 'string' };
        const opened = this.#events.open(this.#task, this.#length, first, this.#source);
        if (typeof opened !== 'object') return this.#giveUp(opened);
        this.#opened = opened;
        if (this.#opened.instead !== undefined) {
          this.#source = this.#opened.instead;
          if (chunk?.length === 0) this.#flushSoon();
          continue;
        }
      }
      if (chunk === undefined) return this.#finish();
      this.#count(chunk);
      const writing = this.#write(chunk);
      if (writing !== undefined) await writing;
      if (this.#isCancelled) return;
    }
  }

  /** @throws LoopShardError RESPONSE_INVALID if the source yields more bytes than declared */
  #count(chunk: Uint8Array): void {
    this.#yielded += chunk.length;
    const { length } = this.#opened!;
    if (length !== undefined && this.#yielded > length) throw wrongLength('more', length);
  }

  /** Gathers a chunk. Returns a promise only if it must wait. */
  #write(chunk: Uint8Array): Promise<void> | undefined {
    const { pieces } = this.#opened!;
    const taken = pieces.add(chunk, 0);
    if (pieces.isFull) return this.#writeRest(chunk, taken);
    // An empty chunk at the start sends the head alone.
    if (pieces.length > 0 || pieces.hasHead) this.#flushSoon();
    return undefined;
  }

  /** Sends full pieces until the rest of the chunk fits. */
  async #writeRest(chunk: Uint8Array, from: number): Promise<void> {
    const { pieces } = this.#opened!;
    for (let at = from; pieces.isFull; at += pieces.add(chunk, at)) {
      while (!this.#mayPost()) await this.#credit();
      if (this.#isCancelled) return;
      this.#post(undefined);
    }
    if (pieces.length > 0) this.#flushSoon();
  }

  /** Sends what is yielded within one turn of the event loop together. */
  #flushSoon(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#outbox.schedule(this);
  }

  /** Sends what was gathered. Without credit it stays scheduled until credit arrives. */
  flush(): void {
    if (!this.#flushScheduled || !this.#mayPost()) return;
    this.#flushScheduled = false;
    if (this.#isOver || this.#isCancelled) return;
    const { pieces } = this.#opened!;
    if (pieces.length > 0 || pieces.hasHead) this.#post(undefined);
  }

  #mayPost(): boolean {
    return this.#isCancelled || this.#untaken + this.#opened!.pieces.length <= STREAM_WINDOW_BYTES;
  }

  #credit(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #post(last: StreamPiece['last']): void {
    const { pieces, headBytes, closes, length } = this.#opened!;
    const isFirst = pieces.hasHead;
    const taken = pieces.take(last === 'whole');
    const { bytes, start, end } = taken;
    // The first piece is not counted: the HTTP thread treats it as part of the response.
    if (!isFirst) this.#untaken += end - start;
    const { slot, sequence } = this.#task;
    const piece: StreamPiece = { slot, sequence, bytes, start, end };
    if (isFirst) Object.assign(piece, { headBytes, closes, ...(length !== undefined && { bodyBytes: length }) });
    if (last !== undefined) piece.last = last;
    const onSent = isFirst && last === undefined ? () => this.#begun() : undefined;
    if (!this.#outbox.post(this.#port, piece, onSent)) pieces.giveBack(taken);
  }

  #begun(): void {
    this.#isHeadSent = true;
    this.#events.onBegun(this.#task);
  }

  async #finish(): Promise<void> {
    const { length } = this.#opened!;
    if (length !== undefined && this.#yielded < length) throw wrongLength('fewer', length);
    while (!this.#mayPost()) await this.#credit();
    if (this.#isCancelled) return;
    this.#post('whole');
    this.#end();
  }

  #fail(error: unknown): void {
    if (this.#opened === undefined) {
      this.#isOver = true;
      void this.#returnSource().then(() => this.#events.onFailed(this.#task, error));
      return;
    }
    // Also sends what was gathered before the failure.
    this.#post('broken');
    this.#events.onBroken(this.#task, error);
    void this.#returnSource().then(() => this.#end());
  }

  #giveUp(outcome: Bodiless): void {
    this.#isOver = true;
    void this.#returnSource().then(() => this.#events.onBodiless(this.#task, outcome));
  }

  breakOff(): void {
    if (this.#isOver || this.#isCancelled) return;
    this.#isCancelled = true;
    this.#post('broken');
    this.#wake?.();
    void this.#returnSource().then(() => this.#end());
  }

  cancel(): void {
    if (this.#isOver || this.#isCancelled) return;
    this.#isCancelled = true;
    this.#events.onCancelled(this.#task);
    this.#wake?.();
    void this.#returnSource().then(() => this.#end());
  }

  async #returnSource(): Promise<void> {
    const held = setTimeout(() => this.#events.onHeld(this.#task), LET_GO_MS);
    try {
      await this.#task.scope.runInAsyncScope(() => this.#source.return?.());
    } catch {
      // The response was not sent completely anyway, so an error at the end has no effect.
    }
    clearTimeout(held);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onEnded(this.#task);
  }
}

function wrongLength(which: 'more' | 'fewer', length: number): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    `A stream yielded ${which} bytes than its \`content-length\` of ${length}. Correct the header, or leave it out.`,
  );
}
