import type { BodyFlow, BodySink } from '../../app/request.js';
import { BODY_WINDOW_BYTES, type BodyPiece } from '../../contract/messages.js';

/** Bytes taken are reported to the HTTP thread once they reach this number, not for each piece. */
const REPORTED_BYTES = BODY_WINDOW_BYTES / 4;

/** A streamed request body that is passed to a sink as it arrives. Nothing is requested before the sink has room. Shard only. */
export class DeliveredBody implements BodyFlow {
  readonly #sink: BodySink;
  readonly #report: (taken: number, spent: ArrayBuffer[]) => void;
  #isAsked = false;
  #taken = 0;
  #spent: ArrayBuffer[] = [];
  /** No more pieces will arrive. */
  isOver = false;

  /** @param report tells the HTTP thread how many bytes were taken; the first call requests the pieces */
  constructor(sink: BodySink, report: (taken: number, spent: ArrayBuffer[]) => void) {
    this.#sink = sink;
    this.#report = report;
  }

  resume(): void {
    if (this.isOver || (this.#isAsked && this.#taken < REPORTED_BYTES)) return;
    this.#isAsked = true;
    this.#report(this.#taken, this.#spent);
    this.#taken = 0;
    this.#spent = [];
  }

  receive(piece: BodyPiece): void {
    if (this.isOver) return;
    if (piece.last === undefined) return this.#sink.onChunk(this.#take(piece));
    this.isOver = true;
    if (piece.last === 'whole') this.#sink.onEnd(piece.trailers ?? []);
    else this.#sink.onBroken();
  }

  /** Called when the request is finished. */
  close(): void {
    this.isOver = true;
  }

  /** Returns a chunk that the sink may keep. A large piece is copied so that its buffer can be reused. */
  #take({ bytes, length }: BodyPiece): Buffer {
    const buffer = bytes!;
    this.#taken += length;
    if (buffer.byteLength === length && length < REPORTED_BYTES) return Buffer.from(buffer);
    this.#spent.push(buffer);
    return Buffer.from(buffer.slice(0, length));
  }
}
