import type { MessagePort } from 'node:worker_threads';
import { STREAM_CANCELLED, type StreamAnswer } from '../../contract/messages.js';
import { OutgoingStream, type StreamEvents, type StreamedRequest } from './outgoing-stream.js';

/** The streams on their way to clients, and what the HTTP thread says of them. Shard. */
export class OutgoingStreams {
  readonly #port: MessagePort;
  /** By slot: a request keeps its slot until its stream has ended. */
  readonly #streams = new Map<number, OutgoingStream>();

  /** @param port the channel */
  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** The HTTP thread says what became of the bytes of a stream. The request may have settled already. */
  receive({ slot, sequence, taken, spent }: StreamAnswer): void {
    const stream = this.#streams.get(slot);
    if (stream?.sequence === sequence) stream.onTaken(taken, spent);
  }

  /** Sends what `source` yields as the response of the request `sequence` in `slot`. */
  start(request: StreamedRequest, source: AsyncIterable<unknown>, events: StreamEvents): void {
    const stream = new OutgoingStream(this.#port, request, source[Symbol.asyncIterator](), events);
    this.#streams.set(request.slot, stream);
    void stream.run();
  }

  /** The response of the request in `slot` is a stream that has not ended. */
  has(slot: number): boolean {
    return this.#streams.has(slot);
  }

  /** Nobody waits for the response of the request in `slot` any more. */
  cancel(slot: number): void {
    this.#streams.get(slot)?.onTaken(STREAM_CANCELLED);
  }

  /** The request in `slot` is over. */
  forget(slot: number): void {
    this.#streams.delete(slot);
  }
}
