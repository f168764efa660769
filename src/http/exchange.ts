import type { Connection } from './connection.js';

/** A request and its answer, from the last byte of the one to the last byte of the other. HTTP thread only. */
export class Exchange {
  /** The slot that carries it, or -1 for an answer that the HTTP thread gives itself. */
  readonly slot: number;
  shard = -1;
  /** Names the request in the slot. */
  sequence = 0;
  /** Who waits for the answer; nobody any more once the connection is gone. */
  connection: Connection | undefined;
  /** The next request of the same connection. */
  next: Exchange | undefined;
  /** The connection ends behind this answer. */
  close = false;
  /** HTTP/1.0: the client wants to hear that the connection stays. */
  sayKeepAlive = false;
  /** The request record went by transfer: it is lost with its shard. */
  transferred = false;
  /** The answer is complete. */
  ready = false;
  /** Response head, and the body too unless that came by transfer. A view of the slot, or bytes of our own. */
  bytes: Buffer | undefined;
  headBytes = 0;
  /** A response body that came by transfer. */
  body: Buffer | undefined;

  constructor(slot: number) {
    this.slot = slot;
  }

  /** For the next request in the same slot. `bytes` stays: the next answer may well be of the same length. */
  reset(connection: Connection): void {
    this.connection = connection;
    this.next = undefined;
    this.close = false;
    this.sayKeepAlive = false;
    this.transferred = false;
    this.ready = false;
    this.body = undefined;
  }
}
