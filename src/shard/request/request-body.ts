import { BODY_WINDOW_BYTES, type BodyPiece } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';

/** The HTTP thread hears of bytes that were taken when there are so many of them, not for each piece. */
const REPORTED_BYTES = BODY_WINDOW_BYTES / 4;

type Result = IteratorResult<Uint8Array, undefined>;

interface Reader {
  resolve(result: Result): void;
  reject(error: LoopShardError): void;
}

const DONE: Result = { done: true, value: undefined };

/** A request body on its way: what the handler has not read of it. Nothing of it is asked for before it is read. Shard. */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly #report: (taken: number, spent: ArrayBuffer[]) => void;
  #isAsked = false;
  #pieces: BodyPiece[] = [];
  #readers: Reader[] = [];
  /** What comes behind the pieces, once that is known. */
  #end: Result | LoopShardError | undefined;
  #taken = 0;
  #spent: ArrayBuffer[] = [];

  /** @param report tells the HTTP thread how many bytes the handler has taken; the first call has the pieces sent */
  constructor(report: (taken: number, spent: ArrayBuffer[]) => void) {
    this.#report = report;
  }

  /** Nothing more will come. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => this.#readers.push({ resolve, reject }));
    // Whoever has left it behind shall not end the shard by that; whoever waits for it hears of it all the same.
    result.catch(() => {});
    if (!this.#isAsked && this.#end === undefined) {
      this.#isAsked = true;
      this.#report(0, []);
    }
    this.#serve();
    return result;
  }

  /** The handler wants no more. The rest is not asked for. */
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

  /** Its request has settled. */
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

  /** What the handler gets is its own: a large piece is copied, so that its buffer can be used again. */
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
    'The request body will never be whole: the client has left or stalled, or has sent what the route does not take.',
  );
}

function finished(): LoopShardError {
  return new LoopShardError(
    'REQUEST_FINISHED',
    'The request was already answered, and the rest of its body is not kept. Read what you need before the handler settles.',
  );
}
