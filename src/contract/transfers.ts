import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Transfer } from './messages.js';

/**
 * One end of the port for what is larger than a slot. A record or body is posted before its slot is passed on, so the other
 * side finds it without waiting. HTTP thread and shard.
 */
export class TransferPort {
  readonly #port: MessagePort;
  /** Received while another one was looked for, by slot. */
  readonly #received = new Map<number, Transfer>();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Sends bytes for the request `sequence` in `slot`; they are lost to the caller. */
  send(slot: number, sequence: number, body: Uint8Array<ArrayBuffer>): void {
    const { buffer, byteOffset, length } = body;
    // A part of a larger buffer goes alone.
    const bytes = length === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + length);
    const transfer: Transfer = { slot, sequence, bytes };
    this.#port.postMessage(transfer, [bytes]);
  }

  /** What was sent for the request `sequence` in `slot`, if it was. */
  take(slot: number, sequence: number): ArrayBuffer | undefined {
    this.#receiveAll();
    const transfer = this.#received.get(slot);
    this.#received.delete(slot);
    return transfer?.sequence === sequence ? transfer.bytes : undefined;
  }

  /** The other side is gone: keeps what it has sent, and closes the port. */
  close(): void {
    this.#receiveAll();
    this.#port.close();
  }

  #receiveAll(): void {
    for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port)) {
      const transfer = got.message as Transfer;
      this.#received.set(transfer.slot, transfer);
    }
  }
}
