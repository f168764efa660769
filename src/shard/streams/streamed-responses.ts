import type { AsyncResource } from 'node:async_hooks';
import { SLOT_STREAM_FLAG } from '../../../assembly/layout.js';
import type { ShardContext } from '../context.js';
import { CompressedStream } from '../response/compressor.js';
import { NO_ROOM, type Reply, type Responder, type Streamed, WRITTEN } from '../response/responder.js';
import type { FirstChunk, OpenedStream, OutgoingStream } from './outgoing-stream.js';
import { PieceBuffer } from './piece-buffer.js';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';

/** A request whose response is sent in pieces. */
export interface StreamedTask extends Reply {
  /** By the server's clock. */
  readonly startedAt: number;
  /** In which everything of the user's runs that belongs to the request. */
  readonly scope: AsyncResource;
}

export interface StreamedEvents<Task extends StreamedTask> {
  /** The stream failed before its first chunk: another answer can be given. */
  onFailed(task: Task, error: unknown): void;
  /** The response turned out to have no body. It is written, or waits for an extent. */
  onBodiless(task: Task, outcome: typeof WRITTEN | typeof NO_ROOM): void;
  /** The stream failed in the middle; `onEnded` follows. */
  onBroken(task: Task, error: unknown): void;
  /** Nothing more is sent of it, and its source does not let go. */
  onHeld(task: Task): void;
  /** The stream is over, whatever became of it. */
  onEnded(task: Task): void;
  /** The stream is over, and its request was answered before. */
  onLate(task: Task): void;
}

/**
 * Responses that are sent in pieces. Their request keeps its slot until the last one was sent, since what yields the chunks
 * reads `req`; the head goes with the first chunks. Shard.
 */
export class StreamedResponses<Task extends StreamedTask> {
  readonly #context: ShardContext;
  readonly #responder: Responder;
  readonly #events: StreamedEvents<Task>;

  constructor(context: ShardContext, responder: Responder, events: StreamedEvents<Task>) {
    this.#context = context;
    this.#responder = responder;
    this.#events = events;
  }

  /** @throws whatever the stream throws when its iterator is asked for */
  start(task: Task, { source, length }: Streamed): void {
    const { slot, request, scope } = task;
    const { streams, signals } = this.#context;
    const { sequence } = request;
    let bodiless: typeof WRITTEN | typeof NO_ROOM = WRITTEN;
    /** The stream is over: whose slot it has, if the request was answered meanwhile, is none of its business. */
    const over = (then: () => void) => {
      streams.forget(slot, stream);
      if (request.finished) this.#events.onLate(task);
      else then();
    };
    const stream: OutgoingStream = streams.create({ slot, sequence, scope }, source, {
      open: (first, iterator) => {
        const opened = this.#open(task, length, first, iterator);
        if (opened !== WRITTEN && opened !== NO_ROOM) return opened;
        bodiless = opened;
        return undefined;
      },
      onFailed: (error) => over(() => this.#events.onFailed(task, error)),
      onBodiless: () => over(() => this.#events.onBodiless(task, bodiless)),
      onBroken: (error) => {
        // Whoever fails because the client has left has done what it should.
        if (!request.finished && !signals.isAborted(slot, sequence)) this.#events.onBroken(task, error);
      },
      onCancelled: () => signals.abort(slot, sequence),
      onHeld: () => {
        streams.forget(slot, stream);
        this.#events.onHeld(task);
      },
      onEnded: () =>
        over(() => {
          task.view.mark(SLOT_STREAM_FLAG);
          this.#events.onEnded(task);
        }),
    });
    void stream.run();
    // The client has left while the handler had not returned it yet.
    if (signals.isGone(slot, sequence)) streams.cancel(slot);
  }

  #open(
    task: Task,
    length: number | undefined,
    first: FirstChunk | undefined,
    source: AsyncIterator<unknown>,
  ): OpenedStream | typeof WRITTEN | typeof NO_ROOM {
    const type = first?.isText === false ? BYTES : TEXT;
    const head = this.#responder.streamHead(task, type, first !== undefined, length);
    if (head === WRITTEN || head === NO_ROOM) return head;
    const { clock, times } = this.#context;
    times.recordHandler(Math.max(1, clock.nowUs() - task.startedAt));
    this.#context.streams.begun(task.slot, task.request.sequence);
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
}
