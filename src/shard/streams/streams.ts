import { STREAM_CANCELLED, type StreamAnswer } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import type { HttpChannels } from '../http-channels.js';
import type { AbortSignals } from '../request/signals.js';
import { OutgoingStream, type StreamEvents, type StreamedRequest } from './outgoing-stream.js';
import { iterate } from './stream-source.js';

/** The streams on their way to clients, and what the HTTP thread says of them. Shard. */
export class OutgoingStreams {
  readonly #http: HttpChannels;
  readonly #signals: AbortSignals;
  /** By slot: a request keeps its slot until its stream has ended. */
  readonly #streams = new Map<number, OutgoingStream>();

  #isDraining = false;

  /** @param signals of the requests: streams whose clients go on waiting are told by them that the server closes */
  constructor(http: HttpChannels, signals: AbortSignals) {
    this.#http = http;
    this.#signals = signals;
  }

  /** The HTTP thread says what became of the bytes of a stream. The request may have settled already. */
  receive({ slot, sequence, taken, spent }: StreamAnswer): void {
    const stream = this.#streams.get(slot);
    if (stream?.sequence === sequence) stream.onTaken(taken, spent);
  }

  /**
   * A stream that sends what `source` yields as the response of a request, once it is run.
   * @throws whatever the source throws when its iterator is asked for
   */
  create(request: StreamedRequest, source: AsyncIterable<unknown>, events: StreamEvents): OutgoingStream {
    const { scope } = request;
    const iterator = scope.runInAsyncScope(() => iterate(source));
    const stream = new OutgoingStream(this.#http.of(request.slot), request, iterator, events);
    this.#streams.set(request.slot, stream);
    return stream;
  }

  /** Has all streams whose heads were sent end, and those that begin later. */
  drain(): void {
    this.#isDraining = true;
    for (const [slot, stream] of this.#streams) if (stream.isBegun) this.#tell(slot, stream.sequence);
  }

  /** The head of the stream is sent. */
  begun(slot: number, sequence: number): void {
    if (this.#isDraining) this.#tell(slot, sequence);
  }

  #tell(slot: number, sequence: number): void {
    this.#signals.abort(slot, sequence, false, new LoopShardError('SERVER_CLOSING', 'The server is closing.'));
  }

  /** The head of a stream that answers the request in `slot` was sent. */
  isBegun(slot: number): boolean {
    return this.#streams.get(slot)?.isBegun === true;
  }

  /** Nobody waits for the response of the request in `slot` any more. */
  cancel(slot: number): void {
    this.#streams.get(slot)?.onTaken(STREAM_CANCELLED);
  }

  /** The handler has the response in `slot` end in its middle. */
  breakOff(slot: number): void {
    this.#streams.get(slot)?.breakOff();
  }

  /** The stream is over; the slot may have another one's by now. */
  forget(slot: number, stream: OutgoingStream): void {
    if (this.#streams.get(slot) === stream) this.#streams.delete(slot);
  }
}
