import { COUNTER_STREAMS_OFFSET, COUNTER_UPGRADES_OFFSET } from '../../../assembly/layout.js';
import type { RawReply } from '../../app/raw.js';
import type { ShardReport } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import type { ShardContext } from '../context.js';
import { CompressedStream } from '../response/compressor.js';
import { NO_ROOM, type Responder, type Streamed, WRITTEN } from '../response/responder.js';
import type { Task } from '../tasks.js';
import { StreamOutbox } from './outbox.js';
import {
  type Bodiless,
  type FirstChunk,
  type OpenedStream,
  OutgoingStream,
  type StreamEvents,
} from './outgoing-stream.js';
import { PieceBuffer } from './piece-buffer.js';
import { RawStream, type RawStreamEvents } from './raw-stream.js';
import { iterate } from './stream-source.js';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
/** `streamsFull` is reported again only after the number of streams has dropped below this share of the limit. */
const QUIET = 0.9;

export interface StreamedEvents {
  /** Called if the stream failed before its first chunk: another response can be sent. */
  onFailed(task: Task, error: unknown): void;
  /** Called if the response has no body. It is written, or waits for an extent. */
  onBodiless(task: Task, outcome: Bodiless): void;
  /** Called when the head was built, which counts as the end of the handler's time. */
  onOpened(task: Task): void;
  /** Called when the head was sent and more will follow. */
  onBegun(task: Task): void;
  /** Called if the stream failed in the middle; `onEnded` follows. */
  onBroken(task: Task, error: unknown): void;
  /** Called if the stream has stopped sending but its source does not end. */
  onHeld(task: Task): void;
  /** Called when everything that the app has written so far was sent. */
  onFlushed(task: Task): void;
  /** Called when the stream is over, successfully or not. */
  onEnded(task: Task): void;
  /** Called when the stream is over and its request was already finished. */
  onLate(task: Task): void;
}

/** The streamed responses of a shard. The head is sent with the first chunks. Shard only. */
export class StreamedResponses implements StreamEvents {
  readonly #context: ShardContext;
  readonly #responder: Responder;
  readonly #events: StreamedEvents;
  readonly #outbox = new StreamOutbox();
  readonly #rawEvents: RawStreamEvents = {
    open: (task) => this.#openRaw(task),
    onFailed: (task, error) => this.onFailed(task, error),
    onBegun: (task) => this.onBegun(task),
    onFlushed: (task) => this.#events.onFlushed(task),
    onCancelled: (task) => this.onCancelled(task),
    onEnded: (task) => this.onEnded(task),
  };
  /** Number of streams whose heads were built and that are not over. */
  #streaming = 0;
  /** How many of them are upgraded connections. */
  #upgrades = 0;
  /** `streamsFull` was reported. */
  #isFull = false;

  constructor(context: ShardContext, responder: Responder, events: StreamedEvents) {
    this.#context = context;
    this.#responder = responder;
    this.#events = events;
  }

  /** @throws whatever the stream throws when its iterator is created */
  start(task: Task, { source, length }: Streamed): void {
    const iterator = task.scope.runInAsyncScope(iterate, undefined, source) as AsyncIterator<unknown>;
    const stream = new OutgoingStream(task, iterator, length, this.#outbox, this.#context.http.of(task.slot), this);
    task.stream = stream;
    void stream.run();
    // The client disconnected before the handler returned the stream.
    if (task.request.isGone) stream.cancel();
  }

  /** Streams a response that the app forms itself, as it is written. */
  startRaw(task: Task, raw: RawReply): RawStream {
    const stream = new RawStream(task, raw, this.#outbox, this.#context.http.of(task.slot), this.#rawEvents);
    task.stream = stream;
    task.rawStream = stream;
    return stream;
  }

  #openRaw(task: Task): void {
    if (this.#streaming >= this.#context.maxStreams) throw this.#full();
    this.#responder.describeRaw(task, task.raw!);
    if (task.raw!.isUpgrade) this.#upgrades++;
    this.#noteOpen(task);
  }

  open(
    task: Task,
    length: number | undefined,
    first: FirstChunk | undefined,
    source: AsyncIterator<unknown>,
  ): OpenedStream | Bodiless {
    if (this.#streaming >= this.#context.maxStreams) throw this.#full();
    const type = first?.isText === false ? BYTES : TEXT;
    const head = this.#responder.streamHead(task, type, first !== undefined, length);
    if (head === WRITTEN || head === NO_ROOM) return head;
    const { bytes, encoding } = head;
    const closes = head.length === undefined && task.request.isHttp10;
    const instead =
      encoding === undefined || first === undefined ? undefined : new CompressedStream(encoding, first.bytes, source);
    this.#noteOpen(task);
    return {
      pieces: new PieceBuffer(task.response.isChunked, bytes),
      headBytes: bytes.length,
      closes,
      length: head.length,
      instead,
    };
  }

  #noteOpen(task: Task): void {
    this.#events.onOpened(task);
    task.isStreaming = true;
    this.#streaming++;
    this.#count();
  }

  onFailed(task: Task, error: unknown): void {
    if (this.#isOver(task)) this.#events.onFailed(task, error);
  }

  onBodiless(task: Task, outcome: Bodiless): void {
    if (this.#isOver(task)) this.#events.onBodiless(task, outcome);
  }

  onBegun(task: Task): void {
    this.#events.onBegun(task);
  }

  onBroken(task: Task, error: unknown): void {
    // A failure caused by the client's disconnect is expected.
    if (!task.request.finished && !task.request.isAborted) this.#events.onBroken(task, error);
  }

  onCancelled({ request }: Task): void {
    if (!request.finished) request.abort();
  }

  onHeld(task: Task): void {
    this.#close(task);
    this.#count();
    this.#events.onHeld(task);
  }

  onEnded(task: Task): void {
    if (this.#isOver(task)) this.#events.onEnded(task);
  }

  /** Removes a stream that is over. Returns `false` if its request was already finished. */
  #isOver(task: Task): boolean {
    if (this.#close(task)) {
      if (task.raw?.isUpgrade === true) this.#upgrades--;
      this.#count();
    }
    task.stream = undefined;
    if (!task.request.finished) return true;
    this.#events.onLate(task);
    return false;
  }

  #close(task: Task): boolean {
    if (!task.isStreaming) return false;
    task.isStreaming = false;
    this.#streaming--;
    return true;
  }

  #count(): void {
    this.#context.counters.set(COUNTER_STREAMS_OFFSET, this.#streaming);
    this.#context.counters.set(COUNTER_UPGRADES_OFFSET, this.#upgrades);
    if (this.#streaming < this.#context.maxStreams * QUIET) this.#isFull = false;
  }

  #full(): LoopShardError {
    const { channel } = this.#context;
    if (!this.#isFull) channel.postMessage({ type: 'streamsFull' } satisfies ShardReport);
    this.#isFull = true;
    return new LoopShardError('TOO_MANY_STREAMS', 'Too many responses are being streamed. Try again later.');
  }
}
