import { BODY_WINDOW_BYTES, type BodyPiece, type RequestReport } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import type { HttpChannels } from '../http-channels.js';
import type { AbortSignals } from './signals.js';

/** The HTTP thread hears of bytes that were taken when there are so many of them, not for each piece. */
const REPORTED_BYTES = BODY_WINDOW_BYTES / 4;

/** The request bodies that handlers read as streams, by slot: a request keeps its slot until its handler has settled. Shard. */
export class RequestBodies {
  readonly #http: HttpChannels;
  readonly #signals: AbortSignals;
  readonly #bodies = new Map<number, RequestBody>();

  /** @param signals of the requests: a body that breaks off means that nobody waits for the response */
  constructor(http: HttpChannels, signals: AbortSignals) {
    this.#http = http;
    this.#signals = signals;
  }

  /** The HTTP thread sends a piece of a body. The request may have settled already. */
  receive(piece: BodyPiece): void {
    const body = this.#bodies.get(piece.slot);
    if (body?.sequence !== piece.sequence) return;
    // First, as the handler may settle when it hears that there is no more to read.
    if (piece.last === 'broken') this.#signals.abort(piece.slot, piece.sequence);
    body.receive(piece);
  }

  /** The body of the request `sequence` in `slot`. Nothing of it is asked for before it is read. */
  open(slot: number, sequence: number): RequestBody {
    const body = new RequestBody(sequence, (taken, spent) => {
      const report: RequestReport = { type: 'body', credit: { slot, sequence, taken, spent } };
      this.#http.of(slot).postMessage(report, spent);
    });
    this.#bodies.set(slot, body);
    return body;
  }

  /** The request in `slot` has settled. */
  forget(slot: number): void {
    if (this.#bodies.size === 0) return;
    this.#bodies.get(slot)?.close();
    this.#bodies.delete(slot);
  }
}

type Result = IteratorResult<Uint8Array, undefined>;

interface Reader {
  resolve(result: Result): void;
  reject(error: LoopShardError): void;
}

const DONE: Result = { done: true, value: undefined };

/** A request body on its way: what the handler has not read of it. */
class RequestBody implements AsyncIterableIterator<Uint8Array> {
  readonly sequence: number;
  readonly #report: (taken: number, spent: ArrayBuffer[]) => void;
  #isAsked = false;
  #pieces: BodyPiece[] = [];
  #readers: Reader[] = [];
  /** What comes behind the pieces, once that is known. */
  #end: Result | LoopShardError | undefined;
  #taken = 0;
  #spent: ArrayBuffer[] = [];

  constructor(sequence: number, report: (taken: number, spent: ArrayBuffer[]) => void) {
    this.sequence = sequence;
    this.#report = report;
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
    'The request was answered, and the rest of its body is not kept; read what you need before the handler settles.',
  );
}
