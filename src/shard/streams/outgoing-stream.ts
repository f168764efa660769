import { clearTimeout, setTimeout } from 'node:timers';
import type { MessagePort } from 'node:worker_threads';
import { STREAM_CANCELLED, STREAM_WINDOW_BYTES, type StreamPiece } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import type { NO_ROOM, WRITTEN } from '../response/responder.js';
import type { Task, TaskStream } from '../tasks.js';
import type { StreamOutbox } from './outbox.js';
import type { PieceBuffer } from './piece-buffer.js';
import { toBytes } from './stream-source.js';

/** How long a source may take to let go of what it holds before its request is over without that: a generator cannot be hurried. */
const LET_GO_MS = 1_000;

/** What a stream does once it has its first chunk. */
export interface OpenedStream {
  /** Gathers the body, the head in front. */
  pieces: PieceBuffer;
  headBytes: number;
  /** The end of the body is the end of the connection. */
  closes: boolean;
  /** Bytes of the body, if that is known or was said. */
  length: number | undefined;
  /** Whatever is to be sent in place of the source, its first chunk included: its compressed bytes. */
  instead: AsyncIterator<unknown> | undefined;
}

/** By it the content type is chosen, unless the handler has. */
export interface FirstChunk {
  bytes: Uint8Array;
  isText: boolean;
}

/** What becomes of streams. */
export interface StreamEvents {
  /**
   * The first chunk is here, or the end: makes the head. If the response turns out to have no body, it is written, or waits for an extent.
   * @param length bytes of the body, if that is known
   * @throws LoopShardError HEADER_INVALID, TOO_MANY_STREAMS
   */
  open(
    task: Task,
    length: number | undefined,
    first: FirstChunk | undefined,
    source: AsyncIterator<unknown>,
  ): OpenedStream | Bodiless;
  /** The response has no body: there is no stream. */
  onBodiless(task: Task, outcome: Bodiless): void;
  /** It failed before there was a head: another answer can be given. */
  onFailed(task: Task, error: unknown): void;
  /** The head was sent, and more will follow. */
  onBegun(task: Task): void;
  /** Nobody waits for it any more. */
  onCancelled(task: Task): void;
  /** The source was to end `LET_GO_MS` ago, and holds on. What becomes of the stream is told if it ever lets go. */
  onHeld(task: Task): void;
  /** All was sent that will be. */
  onEnded(task: Task): void;
  /** It failed, and the connection will be cut. */
  onBroken(task: Task, error: unknown): void;
}

export type Bodiless = typeof WRITTEN | typeof NO_ROOM;

/** The response body of one request on its way: pulled from its source as fast as the client takes it. Shard. */
export class OutgoingStream implements TaskStream {
  readonly #task: Task;
  readonly #outbox: StreamOutbox;
  readonly #port: MessagePort;
  /** Of the body, in bytes, if it is known. */
  readonly #length: number | undefined;
  readonly #events: StreamEvents;
  #source: AsyncIterator<unknown>;
  #opened: OpenedStream | undefined;
  /** Bytes that the source has yielded. */
  #yielded = 0;
  /** Bytes that were sent and that the kernel has not taken. */
  #untaken = 0;
  #isCancelled = false;
  #isOver = false;
  #flushScheduled = false;
  #wake: (() => void) | undefined;

  /**
   * @param port of the HTTP thread that the request came from
   * @param length of the body, in bytes, if it is known
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

  /** Sends all there is, and says what became of it. */
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

  /** @throws LoopShardError RESPONSE_INVALID: more bytes than were said */
  #count(chunk: Uint8Array): void {
    this.#yielded += chunk.length;
    const { length } = this.#opened!;
    if (length !== undefined && this.#yielded > length) throw wrongLength('more', length);
  }

  /** Gathers a chunk. A promise only if that has to wait. */
  #write(chunk: Uint8Array): Promise<void> | undefined {
    const { pieces } = this.#opened!;
    const taken = pieces.add(chunk, 0);
    if (pieces.isFull) return this.#writeRest(chunk, taken);
    // Nothing to send but the head: that is what an empty chunk at the start is for.
    if (pieces.length > 0 || pieces.hasHead) this.#flushSoon();
    return undefined;
  }

  /** Sends what is full, and goes on with the chunk behind it. */
  async #writeRest(chunk: Uint8Array, from: number): Promise<void> {
    const { pieces } = this.#opened!;
    for (let at = from; pieces.isFull; at += pieces.add(chunk, at)) {
      while (!this.#mayPost()) await this.#credit();
      if (this.#isCancelled) return;
      this.#post(undefined);
    }
    if (pieces.length > 0) this.#flushSoon();
  }

  /** What comes in one turn of the event loop goes together. */
  #flushSoon(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#outbox.schedule(this);
  }

  /** Without credit it stays scheduled, and is tried again when there is some. */
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
    // The first piece is not counted: it is the answer's, not the stream's.
    if (!isFirst) this.#untaken += end - start;
    const { slot, sequence } = this.#task;
    const piece: StreamPiece = { slot, sequence, bytes, start, end };
    if (isFirst) Object.assign(piece, { headBytes, closes, ...(length !== undefined && { bodyBytes: length }) });
    if (last !== undefined) piece.last = last;
    const onSent = isFirst && last === undefined ? () => this.#events.onBegun(this.#task) : undefined;
    if (!this.#outbox.post(this.#port, piece, onSent)) pieces.giveBack(taken);
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
    // What was yielded before it failed goes first.
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
      // What it says at the end of a response that nobody gets is nobody's business.
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
