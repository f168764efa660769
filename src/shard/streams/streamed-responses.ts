import { COUNTER_STREAMS_OFFSET } from '../../../assembly/layout.js';
import type { ShardReport } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import type { ShardContext } from '../context.js';
import { CompressedStream } from '../response/compressor.js';
import { NO_ROOM, type Responder, type Streamed, WRITTEN } from '../response/responder.js';
import type { Task } from '../tasks.js';
import { type FirstChunk, type OpenedStream, OutgoingStream } from './outgoing-stream.js';
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
  onBodiless(task: Task, outcome: typeof WRITTEN | typeof NO_ROOM): void;
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
export class StreamedResponses {
  readonly #context: ShardContext;
  readonly #responder: Responder;
  readonly #events: StreamedEvents;
  /** Those whose heads were made, and that are not over. */
  #open = 0;
  /** It was said that there are as many as there may be. */
  #isFull = false;

  constructor(context: ShardContext, responder: Responder, events: StreamedEvents) {
    this.#context = context;
    this.#responder = responder;
    this.#events = events;
  }

  /** @throws whatever the stream throws when its iterator is asked for */
  start(task: Task, { source, length }: Streamed): void {
    const { slot, sequence, request, scope } = task;
    let bodiless: typeof WRITTEN | typeof NO_ROOM = WRITTEN;
    let isCounted = false;
    const uncount = () => {
      if (isCounted) this.#count(-1);
      isCounted = false;
    };
    const over = (then: () => void) => {
      uncount();
      task.stream = undefined;
      if (request.finished) this.#events.onLate(task);
      else then();
    };
    const iterator = scope.runInAsyncScope(() => iterate(source));
    task.stream = new OutgoingStream(this.#context.http.of(slot), { slot, sequence, scope }, iterator, {
      open: (first, rest) => {
        const opened = this.#openStream(task, length, first, rest);
        if (opened === WRITTEN || opened === NO_ROOM) {
          bodiless = opened;
          return undefined;
        }
        isCounted = true;
        this.#count(1);
        return opened;
      },
      onFailed: (error) => over(() => this.#events.onFailed(task, error)),
      onBodiless: () => over(() => this.#events.onBodiless(task, bodiless)),
      onBegun: () => this.#events.onBegun(task),
      onBroken: (error) => {
        // Whoever fails because the client has left has done what it should.
        if (!request.finished && !request.isAborted) this.#events.onBroken(task, error);
      },
      onCancelled: () => {
        if (!request.finished) request.abort();
      },
      onHeld: () => {
        uncount();
        this.#events.onHeld(task);
      },
      onEnded: () => over(() => this.#events.onEnded(task)),
    });
    void task.stream.run();
    // The client has left while the handler had not returned it yet.
    if (request.isGone) task.stream.cancel();
  }

  /** @throws LoopShardError TOO_MANY_STREAMS */
  #openStream(
    task: Task,
    length: number | undefined,
    first: FirstChunk | undefined,
    source: AsyncIterator<unknown>,
  ): OpenedStream | typeof WRITTEN | typeof NO_ROOM {
    if (this.#open >= this.#context.maxStreams) throw this.#full();
    const type = first?.isText === false ? BYTES : TEXT;
    const head = this.#responder.streamHead(task, type, first !== undefined, length);
    if (head === WRITTEN || head === NO_ROOM) return head;
    const { clock, times } = this.#context;
    times.recordHandler(Math.max(1, clock.nowUs() - task.startedAt));
    const { bytes, encoding } = head;
    const closes = head.length === undefined && task.request.isHttp10;
    const instead =
      encoding === undefined || first === undefined ? undefined : new CompressedStream(encoding, first.bytes, source);
    return {
      pieces: new PieceBuffer(task.response.isChunked, bytes),
      headBytes: bytes.length,
      closes,
      length: head.length,
      instead,
    };
  }
  #count(by: 1 | -1): void {
    this.#open += by;
    this.#context.counters.set(COUNTER_STREAMS_OFFSET, this.#open);
    if (this.#open < this.#context.maxStreams * QUIET) this.#isFull = false;
  }

  #full(): LoopShardError {
    const { channel } = this.#context;
    if (!this.#isFull) channel.postMessage({ type: 'streamsFull' } satisfies ShardReport);
    this.#isFull = true;
    return new LoopShardError('TOO_MANY_STREAMS', 'Too many responses are being streamed. Try again later.');
  }
}
