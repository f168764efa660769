import type { MessagePort } from 'node:worker_threads';
import type { RequestReport, StreamPiece } from '../../contract/messages.js';
import { SMALL_PIECE_BYTES, StreamBatch } from '../../contract/stream-batch.js';
import { Turn } from '../../core/turn.js';

/** What has something to send. */
interface Sender {
  flush(): void;
}

/** To an HTTP thread. */
interface Outgoing {
  port: MessagePort;
  batch: StreamBatch;
  /** Called when the batch is sent. */
  onSent: (() => void)[];
}

/**
 * What the streams of a shard send within a turn of its event loop: what one of them yields in that turn goes as one piece, and small
 * pieces of all of them go in one message. Shard.
 */
export class StreamOutbox {
  readonly #outgoing = new WeakMap<MessagePort, Outgoing>();
  readonly #unsent = new Set<Outgoing>();
  #due: Sender[] = [];
  readonly #turn = new Turn(() => this.#run());

  /** Has the sender flush what it has gathered, in the next turn. */
  schedule(sender: Sender): void {
    this.#due.push(sender);
    this.#turn.schedule();
  }

  /**
   * Sends a piece, behind those that were posted before; at the latest in the next turn, at once if it is the last one of its stream.
   * @param onSent called once it is in the channel
   * @returns whether its buffer was transferred
   */
  post(port: MessagePort, piece: StreamPiece, onSent?: () => void): boolean {
    const outgoing = this.#to(port);
    const { batch } = outgoing;
    if (piece.end - piece.start > SMALL_PIECE_BYTES) {
      this.#send(outgoing);
      port.postMessage({ type: 'stream', piece } satisfies RequestReport, [piece.bytes!]);
      onSent?.();
      return true;
    }
    if (!batch.add(piece)) {
      this.#send(outgoing);
      batch.add(piece);
    }
    this.#unsent.add(outgoing);
    if (onSent !== undefined) outgoing.onSent.push(onSent);
    if (piece.last !== undefined) this.#send(outgoing);
    else this.#turn.schedule();
    return false;
  }

  #to(port: MessagePort): Outgoing {
    let outgoing = this.#outgoing.get(port);
    if (outgoing === undefined) {
      outgoing = { port, batch: new StreamBatch(), onSent: [] };
      this.#outgoing.set(port, outgoing);
    }
    return outgoing;
  }

  #run(): void {
    const due = this.#due;
    this.#due = [];
    for (const sender of due) sender.flush();
    for (const outgoing of this.#unsent) this.#send(outgoing);
  }

  #send(outgoing: Outgoing): void {
    const { port, batch, onSent } = outgoing;
    this.#unsent.delete(outgoing);
    if (batch.isEmpty) return;
    const bytes = batch.take();
    port.postMessage({ type: 'streams', batch: bytes } satisfies RequestReport, [bytes]);
    outgoing.onSent = [];
    for (const tell of onSent) tell();
  }
}
