import { COUNTER_STREAMS_OFFSET } from '../../../assembly/layout.js';
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
import { iterate } from './stream-source.js';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
/** It is said again that there are too many once there have been fewer than this part of what there may be. */
const QUIET = 0.9;

export interface StreamedEvents {
  /** The stream failed before its first chunk: another answer can be given. */
  onFailed(task: Task, error: unknown): void;
  /** The response turned out to have no body. It is written, or waits for an extent. */
  onBodiless(task: Task, outcome: Bodiless): void;
  /** The head was sent, and more will follow. */
  onBegun(task: Task): void;
  /** The stream failed in the middle; `onEnded` follows. */
  onBroken(task: Task, error: unknown): void;
  /** Nothing more is sent of it, and its source does not let go. */
  onHeld(task: Task): void;
  /** The stream is over, whatever became of it. */
  onEnded(task: Task): void;
  /** The stream is over, and its request was answered before. */
  onLate(task: Task): void;
}

/** Responses that are sent in pieces: the head goes with the first chunks. Shard. */
export class StreamedResponses implements StreamEvents {
  readonly #context: ShardContext;
  readonly #responder: Responder;
  readonly #events: StreamedEvents;
  readonly #outbox = new StreamOutbox();
  /** Those whose heads were made, and that are not over. */
  readonly #open = new Set<Task>();
  /** It was said that there are as many as there may be. */
  #isFull = false;

  constructor(context: ShardContext, responder: Responder, events: StreamedEvents) {
    this.#context = context;
    this.#responder = responder;
    this.#events = events;
  }

  /** @throws whatever the stream throws when its iterator is asked for */
  start(task: Task, { source, length }: Streamed): void {
    const iterator = task.scope.runInAsyncScope(iterate, undefined, source) as AsyncIterator<unknown>;
    const stream = new OutgoingStream(task, iterator, length, this.#outbox, this.#context.http.of(task.slot), this);
    task.stream = stream;
    void stream.run();
    // The client has left while the handler had not returned it yet.
    if (task.request.isGone) stream.cancel();
  }

  open(
    task: Task,
    length: number | undefined,
    first: FirstChunk | undefined,
    source: AsyncIterator<unknown>,
  ): OpenedStream | Bodiless {
    if (this.#open.size >= this.#context.maxStreams) throw this.#full();
    const type = first?.isText === false ? BYTES : TEXT;
    const head = this.#responder.streamHead(task, type, first !== undefined, length);
    if (head === WRITTEN || head === NO_ROOM) return head;
    const { clock, times } = this.#context;
    times.recordHandler(Math.max(1, clock.nowUs() - task.startedAt));
    const { bytes, encoding } = head;
    const closes = head.length === undefined && task.request.isHttp10;
    const instead =
      encoding === undefined || first === undefined ? undefined : new CompressedStream(encoding, first.bytes, source);
    this.#open.add(task);
    this.#count();
    return {
      pieces: new PieceBuffer(task.response.isChunked, bytes),
      headBytes: bytes.length,
      closes,
      length: head.length,
      instead,
    };
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
    // Whoever fails because the client has left has done what it should.
    if (!task.request.finished && !task.request.isAborted) this.#events.onBroken(task, error);
  }

  onCancelled({ request }: Task): void {
    if (!request.finished) request.abort();
  }

  onHeld(task: Task): void {
    this.#open.delete(task);
    this.#count();
    this.#events.onHeld(task);
  }

  onEnded(task: Task): void {
    if (this.#isOver(task)) this.#events.onEnded(task);
  }

  /** The stream is over. `false` if its request was answered before. */
  #isOver(task: Task): boolean {
    if (this.#open.delete(task)) this.#count();
    task.stream = undefined;
    if (!task.request.finished) return true;
    this.#events.onLate(task);
    return false;
  }

  #count(): void {
    const { size } = this.#open;
    this.#context.counters.set(COUNTER_STREAMS_OFFSET, size);
    if (size < this.#context.maxStreams * QUIET) this.#isFull = false;
  }

  #full(): LoopShardError {
    const { channel } = this.#context;
    if (!this.#isFull) channel.postMessage({ type: 'streamsFull' } satisfies ShardReport);
    this.#isFull = true;
    return new LoopShardError('TOO_MANY_STREAMS', 'Too many responses are being streamed. Try again later.');
  }
}
