import { BODY_WINDOW_BYTES, type BodyPiece } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';

/** Bytes taken are reported to the HTTP thread once they reach this number, not for each piece. */
const REPORTED_BYTES = BODY_WINDOW_BYTES / 4;

type Result = IteratorResult<Uint8Array, undefined>;

interface Reader {
  resolve(result: Result): void;
  reject(error: LoopShardError): void;
}

const DONE: Result = { done: true, value: undefined };

/** The unread part of a streamed request body. Nothing is requested from the HTTP thread before the handler reads. Shard only. */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #report: (taken: number, spent: ArrayBuffer[]) => void;
  #isAsked = false;
  #pieces: BodyPiece[] = [];
  #readers: Reader[] = [];
  /** What follows the pieces, once that is known. */
  #end: Result | LoopShardError | undefined;
  #taken = 0;
  #spent: ArrayBuffer[] = [];

  /** @param report tells the HTTP thread how many bytes the handler has taken; the first call requests the pieces */
  constructor(report: (taken: number, spent: ArrayBuffer[]) => void) {
    this.#report = report;
  }

  /** No more pieces will arrive. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => this.#readers.push({ resolve, reject }));
    // A handler that ignores this promise must not cause an unhandled rejection. One that awaits it still gets the error.
    result.catch(() => {});
    if (!this.#isAsked && this.#end === undefined) {
      this.#isAsked = true;
      this.#report(0, []);
    }
    this.#serve();
    return result;
  }

  /** Called when the handler stops reading. The rest is not requested. */
  return(): Promise<Result> {
    this.#finish(DONE);
    return Promise.resolve(DONE);
  }

  receive(piece: BodyPiece): void {
    if (this.#end !== undefined) return;
    if (piece.last === undefined) this.#pieces.push(piece);
    else this.#end = piece.last === 'whole' ? DONE : incomplete();
    this.#serve();
  }

  /** Called when the request is finished. */
  close(): void {
    if (this.#pieces.length === 0 && this.#end !== undefined) return;
    this.#finish(finished());
  }

  #finish(end: Result | LoopShardError): void {
    this.#pieces = [];
    this.#end = end;
    this.#serve();
  }

  #serve(): void {
    while (this.#readers.length > 0) {
      const piece = this.#pieces.shift();
      if (piece === undefined && this.#end === undefined) return;
      const reader = this.#readers.shift()!;
      if (piece !== undefined) reader.resolve({ done: false, value: this.#take(piece) });
      else if (this.#end instanceof LoopShardError) reader.reject(this.#end);
      else reader.resolve(DONE);
    }
  }

  /** Returns a chunk that the handler may keep. A large piece is copied so that its buffer can be reused. */
  #take({ bytes, length }: BodyPiece): Buffer {
    const buffer = bytes!;
    const isOwn = buffer.byteLength === length && length < REPORTED_BYTES;
    const chunk = Buffer.from(isOwn ? buffer : buffer.slice(0, length));
    if (!isOwn) this.#spent.push(buffer);
    this.#taken += length;
    if (this.#taken >= REPORTED_BYTES && this.#end === undefined) {
      this.#report(this.#taken, this.#spent);
      this.#taken = 0;
      this.#spent = [];
    }
    return chunk;
  }
}

function incomplete(): LoopShardError {
  return new LoopShardError(
    'BODY_INCOMPLETE',
    'The request body is incomplete: the client disconnected or stalled, or the server rejected the rest.',
  );
}

function finished(): LoopShardError {
  return new LoopShardError(
    'REQUEST_FINISHED',
    'Cannot read the request body: the request is already finished. Read what you need before the handler settles.',
  );
}
