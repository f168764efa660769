import type { Socket } from 'node:net';
import { NO_EXTENT } from '../../assembly/layout.js';
import type { BodyPiece, StreamPiece } from '../contract/messages.js';
import type { Answer } from './answers.js';

/** Who waits for answers: a connection. */
export interface Receiver {
  /** The client's end of the connection, as slots have it (src/contract/peer.ts). */
  readonly peer: Int32Array;
  /** The answer is ready. */
  onResponse(exchange: Exchange): void;
  /** Another exchange answers in the place of one that is not ready. */
  replace(exchange: Exchange, instead: Exchange): void;
  /** Hands to the socket every answer whose turn has come. */
  flush(): void;
  /** The handler reads the body of its request. */
  onBodyTaken(): void;
}

/** An answer that comes in pieces. */
export interface StreamedAnswer {
  /** That sends it. */
  readonly shard: number;
  /** The name of its request, as one number. */
  readonly key: number;
  /** Its head was handed to the socket. */
  begun: boolean;
  /** No piece follows: the body is whole, or will never be. */
  last: 'whole' | 'broken' | undefined;
  /** The end of the body is the end of the connection. */
  readonly closes: boolean;
  add(piece: StreamPiece): void;
  /** If the latest piece has to wait, it shares no memory with those of other streams from now on. */
  keep(): void;
  /** Hands what there is to the socket. Returns how many bytes that is. */
  writeTo(socket: Socket): number;
  /** Nobody waits for the rest. */
  cancel(): void;
  /** The client has sent its last byte, and may be gone. */
  announceAbort(): void;
}

/** A request body that is read as a stream. */
export interface StreamedRequest {
  /** The handler has begun to read. */
  readonly isRead: boolean;
  /** Nobody reads it any more. */
  readonly isOver: boolean;
  onTaken(bytes: number, spent: ArrayBuffer[], send: (piece: BodyPiece) => void): void;
  close(): void;
}

/** What a refusal depends on beside its reason. */
export interface RefusedRequest {
  /** The request was HEAD: no body. */
  isHead: boolean;
  /** Value of its Origin field. */
  origin?: string | undefined;
  /** What it is called, if requests have names. */
  id?: string | undefined;
  /** Value of the Allow field. */
  allow?: string;
  /** The connection ends behind it. */
  closes?: boolean;
}

/** What the access log knows of a request. Times are of `performance.now()`. */
export interface LogEntry {
  method: string | null;
  target: string | null;
  /** The client's address. */
  ip: string | undefined;
  since: number;
  /** What the client calls its request, if requests are named by a field and that is a name. */
  sentId: string | undefined;
  /** What the handler has seen as `req.id`, or the client gets with a refusal. */
  id: string | undefined;
  /** Once the head is handed to the socket. */
  status: number | null;
  /** Of head and body, that were handed to the socket. */
  bytes: number;
}

/** What is known of all requests of a route. */
export interface RouteTraits {
  /** Request bodies are read as streams. */
  readonly isStreamed: boolean;
  /** Bytes of its largest response lately. */
  responseBytes: number;
}

/** A request and its answer, from the last byte of the one to the last byte of the other. HTTP thread only. */
export class Exchange {
  /** The slot that carries it, or -1 for an answer that the HTTP thread gives itself. */
  readonly slot: number;
  /** Names the request in the slot. */
  sequence = 0;
  /** Who waits for the answer; nobody any more once the connection is gone. */
  connection: Receiver | undefined;
  /** The next request of the same connection. */
  next: Exchange | undefined;
  /** The connection ends behind this answer. */
  close = false;
  /** HTTP/1.0: the client wants to hear that the connection stays. */
  sayKeepAlive = false;
  /** The connection ends in the place of this answer. */
  isCut = false;
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
  stream: StreamedAnswer | undefined;
  /** The request's body, if it is read as a stream. */
  upload: StreamedRequest | undefined;
  /** What a refusal needs to know of the request, if refusals depend on it. */
  refused: RefusedRequest | undefined;
  /** What the access log knows of it, if there is one. */
  entry: LogEntry | undefined;
  /** The shard that has given its slot back, which need not be the one in whose ring it was put; -1 before that. */
  ranOn = -1;
  /** Of its route; nothing for an answer that the HTTP thread gives itself. */
  route: RouteTraits | undefined;

  /** One that the HTTP thread answers itself. */
  static answered(connection: Receiver, { bytes, headBytes }: Answer): Exchange {
    const exchange = new Exchange(-1);
    exchange.connection = connection;
    exchange.bytes = bytes;
    exchange.headBytes = headBytes;
    exchange.ready = true;
    return exchange;
  }

  /** One that goes on with a streamed answer whose slot is free. */
  static continued({ connection, stream, bytes, headBytes }: Exchange): Exchange {
    const exchange = new Exchange(-1);
    exchange.connection = connection;
    exchange.stream = stream;
    if (stream?.begun === false) exchange.bytes = bytes;
    exchange.headBytes = headBytes;
    return exchange;
  }

  constructor(slot: number) {
    this.slot = slot;
  }

  /** For a request that was let in by a thread that has ended: nobody waits for its answer. */
  adopt(route: RouteTraits, sequence: number, requestExtent: number): void {
    this.route = route;
    this.sequence = sequence;
    this.requestExtent = requestExtent;
  }

  /** For the next request in the same slot. `bytes` stays: the next answer may well be of the same length. */
  reset(connection: Receiver, route: RouteTraits): void {
    this.connection = connection;
    this.next = undefined;
    this.close = false;
    this.sayKeepAlive = false;
    this.isCut = false;
    this.ready = false;
    this.stream = undefined;
    this.upload = undefined;
    this.ranOn = -1;
    this.route = route;
  }
}
