import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { LoopShardError } from '../errors.js';
import type { Transfer } from '../protocol.js';

/** What is larger than a slot, named by the slot it belongs to. Shard. */
export class Transfers {
  readonly #port: MessagePort;
  readonly #received = new Map<number, ArrayBuffer>();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** The request record of a slot. The HTTP thread sent it before it submitted the slot, so it is here. */
  take(slot: number): ArrayBuffer {
    while (!this.#received.has(slot)) {
      const message = receiveMessageOnPort(this.#port);
      if (message === undefined) {
        throw new LoopShardError('SHARD_FAILED', `The record of the request in slot ${slot} did not arrive.`);
      }
      const transfer = message.message as Transfer;
      this.#received.set(transfer.slot, transfer.bytes);
    }
    const bytes = this.#received.get(slot)!;
    this.#received.delete(slot);
    return bytes;
  }

  /** Sends a response body, which is lost to the caller; before the slot is completed. */
  send(slot: number, body: Uint8Array<ArrayBuffer>): void {
    const { buffer } = body;
    // A part of a larger buffer goes alone.
    const bytes =
      body.length === buffer.byteLength ? buffer : buffer.slice(body.byteOffset, body.byteOffset + body.length);
    const transfer: Transfer = { slot, bytes };
    this.#port.postMessage(transfer, [bytes]);
  }
}
