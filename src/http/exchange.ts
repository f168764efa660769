import { NO_EXTENT } from '../../assembly/layout.js';
import type { RouteRules } from './admission/route-rules.js';
import type { Answer } from './answers.js';
import type { ResponseStream } from './completion/response-stream.js';
import type { Connection } from './socket/connection.js';
import type { RequestStream } from './socket/request-stream.js';

/** A request and its answer, from the last byte of the one to the last byte of the other. HTTP thread only. */
export class Exchange {
  /** The slot that carries it, or -1 for an answer that the HTTP thread gives itself. */
  readonly slot: number;
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
  /** The answer is complete. */
  ready = false;
  /** Response head and body: a view of the slot or of an extent, or bytes of our own. */
  bytes: Buffer | undefined;
  /** Those are no view of shared memory. */
  isPrivate = false;
  headBytes = 0;
  /** What the response was thought to take when the request was let in, in bytes. */
  promisedBytes = 0;
  /** The extent that the response lies in, or NO_EXTENT. */
  extent = NO_EXTENT;
  /** Bytes of the response that were copied out of its extent, 0 if it lies where it was written. */
  detachedBytes = 0;
  /** The extent that the request record lies in, or NO_EXTENT. */
  requestExtent = NO_EXTENT;
  /** An answer that comes in pieces: `bytes` is the first one. It is sent as it comes, and `ready` when all of it is here. */
  stream: ResponseStream | undefined;
  /** The request's body, if it is read as a stream. */
  upload: RequestStream | undefined;

  // ── its way to a shard ──────────────────────────────────────────────────────────────────────────────────────────

  /** The shard in whose ring it was put, which need not be the one that runs it; -1 before that. */
  shard = -1;
  /** The shard that has given its slot back, which may have stolen it; -1 before that. */
  ranOn = -1;
  rules: RouteRules | undefined;
  /** Index in PRIORITIES. */
  rank = 0;
  /** What dispatch goes by. */
  hash = 0;
  /** It has a key: no other shard may run it. */
  sticky = false;
  /** It has one of its route's permits. */
  permitted = false;
  /** Its handler was told that the client has ended its side. */
  isAborted = false;
  /** When it was put into the ring, by the server's clock. */
  submittedAt = 0;

  /** One that the HTTP thread answers itself. */
  static answered(connection: Connection, { bytes, headBytes }: Answer): Exchange {
    const exchange = new Exchange(-1);
    exchange.connection = connection;
    exchange.bytes = bytes;
    exchange.headBytes = headBytes;
    exchange.ready = true;
    return exchange;
  }

  constructor(slot: number) {
    this.slot = slot;
  }

  /** For the next request in the same slot. `bytes` stays: the next answer may well be of the same length. */
  reset(connection: Connection, rules: RouteRules, rank: number): void {
    this.connection = connection;
    this.next = undefined;
    this.close = false;
    this.sayKeepAlive = false;
    this.ready = false;
    this.stream = undefined;
    this.upload = undefined;
    this.shard = -1;
    this.ranOn = -1;
    this.rules = rules;
    this.rank = rank;
    this.hash = rules.hash;
    this.sticky = false;
    this.permitted = false;
    this.isAborted = false;
  }
}
