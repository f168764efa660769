import type { MessagePort } from 'node:worker_threads';
import type { StreamAnswer } from '../../contract/messages.js';
import { OutgoingStream, type StreamEvents } from './outgoing-stream.js';

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
  start(request: { slot: number; sequence: number }, source: AsyncIterable<unknown>, events: StreamEvents): void {
    const stream = new OutgoingStream(this.#port, request, source[Symbol.asyncIterator](), events);
    this.#streams.set(request.slot, stream);
    void stream.run();
  }

  /** The request in `slot` is over. */
  forget(slot: number): void {
    this.#streams.delete(slot);
  }
}
