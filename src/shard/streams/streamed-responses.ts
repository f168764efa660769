import { SLOT_FLAGS_OFFSET, SLOT_STREAM_FLAG } from '../../../assembly/layout.js';
import { slotAddress } from '../../contract/memory-map.js';
import type { ShardContext } from '../context.js';
import type { SlotRequest } from '../request/request.js';
import { CompressedStream } from '../response/compressor.js';
import type { Responder } from '../response/responder.js';
import type { SlotResponse } from '../response/response.js';
import type { FirstChunk, OpenedStream } from './outgoing-stream.js';
import { PieceBuffer } from './piece-buffer.js';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';

/** A request whose handler has returned a stream. */
export interface StreamedTask {
  slot: number;
  /** By the server's clock. */
  startedAt: number;
  request: SlotRequest;
  response: SlotResponse;
}

export interface StreamedEvents {
  /** The stream failed before its first chunk: another answer can be given. */
  onFailed(task: StreamedTask, error: unknown): void;
  /** The response turned out to have no body, and is in the slot. */
  onSettled(task: StreamedTask): void;
  /** The stream failed in the middle; `onEnded` follows. */
  onBroken(task: StreamedTask, error: unknown): void;
  /** The stream is over, whatever became of it. */
  onEnded(task: StreamedTask): void;
}

/**
 * Responses that are streamed. Their request keeps its slot until the stream has ended, since what yields the chunks reads
 * `req`; the head goes with the first chunks. Shard.
 */
export class StreamedResponses {
  readonly #context: ShardContext;
  readonly #responder: Responder;
  readonly #events: StreamedEvents;

  constructor(context: ShardContext, responder: Responder, events: StreamedEvents) {
    this.#context = context;
    this.#responder = responder;
    this.#events = events;
  }

  /** @throws whatever the stream throws when its iterator is asked for */
  start(task: StreamedTask, stream: AsyncIterable<unknown>): void {
    const { slot, request } = task;
    const { streams, signals } = this.#context;
    const { sequence } = request;
    const forget = () => streams.forget(slot);
    streams.start({ slot, sequence }, stream, {
      open: (first, source) => this.#open(task, first, source),
      onFailed: (error) => {
        forget();
        this.#events.onFailed(task, error);
      },
      onBodiless: () => {
        forget();
        this.#events.onSettled(task);
      },
      onBroken: (error) => {
        // Whoever fails because the client has left has done what it should.
        if (!signals.isAborted(slot, sequence)) this.#events.onBroken(task, error);
      },
      onCancelled: () => signals.abort(slot, sequence),
      onEnded: () => {
        forget();
        this.#markStreamed(slot);
        this.#events.onEnded(task);
      },
    });
  }

  #open(
    { slot, startedAt, request, response }: StreamedTask,
    first: FirstChunk | undefined,
    source: AsyncIterator<unknown>,
  ): OpenedStream | undefined {
    const head = this.#responder.streamHead(
      slot,
      request,
      response,
      first?.isText === false ? BYTES : TEXT,
      first !== undefined,
    );
    if (head === undefined) return undefined;
    const { clock, times } = this.#context;
    times.recordHandler(Math.max(1, clock.nowUs() - startedAt));
    const closes = request.isHttp10;
    const { bytes, encoding } = head;
    const instead =
      encoding === undefined || first === undefined ? undefined : new CompressedStream(encoding, first.bytes, source);
    return { pieces: new PieceBuffer(!closes, bytes), headBytes: bytes.length, closes, instead };
  }

  #markStreamed(slot: number): void {
    const { core, plan } = this.#context;
    core.i32[(slotAddress(plan, slot) + SLOT_FLAGS_OFFSET) >> 2] |= SLOT_STREAM_FLAG;
  }
}
