import type { MessagePort } from 'node:worker_threads';
import type { RequestReport, StreamPiece } from '../../contract/messages.js';
import { SMALL_PIECE_BYTES, StreamBatch } from '../../contract/stream-batch.js';
import { Turn } from '../../core/turn.js';

/** A stream that has gathered something to send. */
interface Sender {
  flush(): void;
}

/** Messages to one HTTP thread. */
interface Outgoing {
  port: MessagePort;
  batch: StreamBatch;
  /** Called when the batch was sent. */
  onSent: (() => void)[];
}

/**
 * Batches what the streams of a shard send within a turn of its event loop: each stream's chunks become one piece, and small pieces of
 * all streams go in one message. Shard only.
 */
export class StreamOutbox {
  readonly #outgoing = new WeakMap<MessagePort, Outgoing>();
  readonly #unsent = new Set<Outgoing>();
  #due: Sender[] = [];
  readonly #turn = new Turn(() => this.#run());

  /** Calls `sender.flush()` in the next turn. */
  schedule(sender: Sender): void {
    this.#due.push(sender);
    this.#turn.schedule();
  }

  /**
   * Sends a piece after those posted earlier: immediately if it is the last one of its stream, otherwise by the next turn.
   * @param onSent called once it was posted to the channel
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
