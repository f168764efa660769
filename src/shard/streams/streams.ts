import { STREAM_CANCELLED, type StreamAnswer } from '../../contract/messages.js';
import type { HttpChannels } from '../http-channels.js';
import { OutgoingStream, type StreamEvents, type StreamedRequest } from './outgoing-stream.js';
import { iterate } from './stream-source.js';

/** The streams on their way to clients, and what the HTTP thread says of them. Shard. */
export class OutgoingStreams {
  readonly #http: HttpChannels;
  /** By slot: a request keeps its slot until its stream has ended. */
  readonly #streams = new Map<number, OutgoingStream>();

  constructor(http: HttpChannels) {
    this.#http = http;
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

  /** The head of a stream that answers the request in `slot` was sent. */
  isBegun(slot: number): boolean {
    return this.#streams.get(slot)?.isBegun === true;
  }

  /** Nobody waits for the response of the request in `slot` any more. */
  cancel(slot: number): void {
    this.#streams.get(slot)?.onTaken(STREAM_CANCELLED);
  }

  /** The stream is over; the slot may have another one's by now. */
  forget(slot: number, stream: OutgoingStream): void {
    if (this.#streams.get(slot) === stream) this.#streams.delete(slot);
  }
}
