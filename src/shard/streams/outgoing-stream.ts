import type { AsyncResource } from 'node:async_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { MessagePort } from 'node:worker_threads';
import {
  type RequestReport,
  STREAM_CANCELLED,
  STREAM_WINDOW_BYTES,
  type StreamPiece,
} from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import type { PieceBuffer } from './piece-buffer.js';
import { toBytes } from './stream-source.js';

/** How long a source may take to let go of what it holds before its request is over without that: a generator cannot be hurried. */
const LET_GO_MS = 1_000;

/** The request that a stream answers. */
export interface StreamedRequest {
  slot: number;
  sequence: number;
  /** In which the source runs. */
  scope: AsyncResource;
}

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

export interface StreamEvents {
  /**
   * The first chunk is here, or the end: makes the head. Nothing if the response turns out to have no body, and is written.
   * @throws LoopShardError HEADER_INVALID
   */
  open(first: FirstChunk | undefined, source: AsyncIterator<unknown>): OpenedStream | undefined;
  /** The response has no body: there is no stream. */
  onBodiless(): void;
  /** It failed before there was a head: another answer can be given. */
  onFailed(error: unknown): void;
  /** The head was sent, and more will follow. */
  onBegun(): void;
  /** Nobody waits for it any more. */
  onCancelled(): void;
  /** The source was to end `LET_GO_MS` ago, and holds on. What becomes of the stream is told if it ever lets go. */
  onHeld(): void;
  /** All was sent that will be. */
  onEnded(): void;
  /** It failed, and the connection will be cut. */
  onBroken(error: unknown): void;
}

/** The response body of one request on its way: pulled from its source as fast as the client takes it. Shard. */
export class OutgoingStream {
  readonly #port: MessagePort;
  readonly #slot: number;
  readonly #sequence: number;
  readonly #scope: AsyncResource;
  #source: AsyncIterator<unknown>;
  readonly #events: StreamEvents;
  #opened: OpenedStream | undefined;
  /** Bytes that the source has yielded. */
  #yielded = 0;
  /** Bytes that were sent and that the kernel has not taken. */
  #untaken = 0;
  #isCancelled = false;
  #isOver = false;
  #flushScheduled = false;
  #wake: (() => void) | undefined;

  constructor(port: MessagePort, request: StreamedRequest, source: AsyncIterator<unknown>, events: StreamEvents) {
    this.#port = port;
    this.#slot = request.slot;
    this.#sequence = request.sequence;
    this.#scope = request.scope;
    this.#source = source;
    this.#events = events;
  }

  /** Its head was sent, or is about to be. */
  get isBegun(): boolean {
    return this.#opened !== undefined;
  }

  /** Sends all there is, and says what became of it. */
  async run(): Promise<void> {
    try {
      await this.#scope.runInAsyncScope(() => this.#pump());
    } catch (error) {
      if (!this.#isCancelled) this.#fail(error);
    }
  }

  /** The kernel has taken bytes; or nobody waits for more. */
  onTaken(bytes: number, spent: ArrayBuffer[] = []): void {
    if (bytes === STREAM_CANCELLED) return this.cancel();
    this.#untaken -= bytes;
    this.#opened?.pieces.reuse(spent);
    if (this.#flushScheduled) this.#flush();
    this.#wake?.();
  }

  async #pump(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#source.next();
      if (this.#isCancelled) return;
      const chunk = done === true ? undefined : toBytes(value);
      if (this.#opened === undefined) {
        this.#opened = this.#events.open(chunk && { bytes: chunk, isText: typeof value === 'string' }, this.#source);
        if (this.#opened === undefined) return this.#giveUp();
        if (this.#opened.instead !== undefined) {
          this.#source = this.#opened.instead;
          if (chunk?.length === 0) this.#flushSoon();
          continue;
        }
      }
      if (chunk === undefined) return this.#finish();
      this.#count(chunk);
      await this.#write(chunk);
      if (this.#isCancelled) return;
    }
  }

  /** @throws LoopShardError RESPONSE_INVALID: more bytes than were said */
  #count(chunk: Uint8Array): void {
    this.#yielded += chunk.length;
    const { length } = this.#opened!;
    if (length !== undefined && this.#yielded > length) throw wrongLength('more', length);
  }

  async #write(chunk: Uint8Array): Promise<void> {
    const { pieces } = this.#opened!;
    for (let at = 0; at < chunk.length; ) {
      at += pieces.add(chunk, at);
      if (!pieces.isFull) break;
      while (!this.#mayPost()) await this.#credit();
      if (this.#isCancelled) return;
      this.#post(undefined);
    }
    // Nothing to send but the head: that is what an empty chunk at the start is for.
    if (pieces.length > 0 || pieces.hasHead) this.#flushSoon();
  }

  /** What comes in one turn of the event loop goes together. */
  #flushSoon(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#flush());
  }

  /** Without credit it stays scheduled, and is tried again when there is some. */
  #flush(): void {
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
    const { bytes, start, end } = pieces.take(last === 'whole');
    // The first piece is not counted: it is the answer's, not the stream's.
    if (!isFirst) this.#untaken += end - start;
    const piece: StreamPiece = { slot: this.#slot, sequence: this.#sequence, bytes, start, end };
    if (isFirst) Object.assign(piece, { headBytes, closes, ...(length !== undefined && { bodyBytes: length }) });
    if (last !== undefined) piece.last = last;
    const report: RequestReport = { type: 'stream', piece };
    this.#port.postMessage(report, [bytes]);
    if (isFirst && last === undefined) this.#events.onBegun();
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
      void this.#returnSource().then(() => this.#events.onFailed(error));
      return;
    }
    // What was yielded before it failed goes first.
    this.#post('broken');
    this.#events.onBroken(error);
    void this.#returnSource().then(() => this.#end());
  }

  #giveUp(): void {
    this.#isOver = true;
    void this.#returnSource().then(() => this.#events.onBodiless());
  }

  /** Nothing more is sent: the response ends in its middle. */
  breakOff(): void {
    if (this.#isOver || this.#isCancelled) return;
    this.#isCancelled = true;
    this.#post('broken');
    this.#wake?.();
    void this.#returnSource().then(() => this.#end());
  }

  /** The client has gone: the source hears it, and the request is over when it has let go. */
  cancel(): void {
    if (this.#isOver || this.#isCancelled) return;
    this.#isCancelled = true;
    this.#events.onCancelled();
    this.#wake?.();
    void this.#returnSource().then(() => this.#end());
  }

  async #returnSource(): Promise<void> {
    const held = setTimeout(() => this.#events.onHeld(), LET_GO_MS);
    try {
      await this.#scope.runInAsyncScope(() => this.#source.return?.());
    } catch {
      // What it says at the end of a response that nobody gets is nobody's business.
    }
    clearTimeout(held);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onEnded();
  }
}

function wrongLength(which: 'more' | 'fewer', length: number): LoopShardError {
  return new LoopShardError(
    'RESPONSE_INVALID',
    `A stream yielded ${which} bytes than its \`content-length\` of ${length}. Correct the header, or leave it out.`,
  );
}
