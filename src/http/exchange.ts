import type { Socket } from 'node:net';
import { NO_EXTENT } from '../../assembly/layout.js';
import type { BodyPiece, StreamPiece } from '../contract/messages.js';
import type { Answer } from './answers.js';

/** What receives responses: a connection. */
export interface Receiver {
  /** The client's end of the connection, encoded as in slots (src/contract/peer.ts). */
  readonly peer: Int32Array;
  /** Called when the response is ready. */
  onResponse(exchange: Exchange): void;
  /** Replaces an exchange that is not ready by another one. */
  replace(exchange: Exchange, instead: Exchange): void;
  /** Passes every response whose turn has come to the socket. */
  flush(): void;
  /** Called when the handler reads the body of its request. */
  onBodyTaken(): void;
  /** Called when the handler takes over the connection. */
  onUpgraded(exchange: Exchange): void;
}

/** A response that arrives in pieces. */
export interface StreamedAnswer {
  /** The shard that sends it. */
  readonly shard: number;
  /** The name of its request, as one number. */
  readonly key: number;
  /** Whether its head was passed to the socket. */
  begun: boolean;
  /** Its status, once the head was passed to the socket; 0 if an app of another framework has written something else; undefined before. */
  status: number | undefined;
  /** Set when no piece follows: the body is complete, or never will be. */
  last: 'whole' | 'broken' | undefined;
  /** Whether the body ends when the connection is closed. */
  readonly closes: boolean;
  /** Whether the handler has taken over the connection: it writes what is sent. */
  readonly isUpgrade: boolean;
  /** Whether no more pieces will arrive. The end of the shard's side of an upgraded connection is not its end. */
  readonly isOver: boolean;
  /** The first piece that was not passed to the socket. */
  readonly waiting: Buffer | undefined;
  add(piece: StreamPiece): void;
  /** Stops the latest piece from sharing memory with other streams, if it has to wait. */
  keep(): void;
  /** Passes all pieces to the socket. Returns how many bytes that is. */
  writeTo(socket: Socket): number;
  /** Called when the client no longer needs the rest. */
  cancel(): void;
  /** Called when the client has sent its last byte, and may have disconnected. */
  announceAbort(): void;
}

/** A request body that is read as a stream. */
export interface StreamedRequest {
  /** Whether the handler has begun to read. */
  readonly isRead: boolean;
  /** Whether the body is no longer read. */
  readonly isOver: boolean;
  /** The handler has sent `100 Continue` itself. */
  onContinued(): void;
  onTaken(bytes: number, spent: ArrayBuffer[], send: (piece: BodyPiece) => void): void;
  close(): void;
}

/** What a rejection depends on besides its reason. */
export interface RefusedRequest {
  /** Whether the request was HEAD: no body is sent. */
  isHead: boolean;
  /** Value of the request's Origin field. */
  origin?: string | undefined;
  /** The request id, if requests have ids. */
  id?: string | undefined;
  /** Value of the Allow field. */
  allow?: string;
  /** Whether the connection is closed after the response. */
  closes?: boolean;
}

/** Counts responses to requests of one route and method. */
export interface ResponseCounter {
  /** Counts a response by the status in its first line. */
  count(head: Uint8Array): void;
}

/** Tells a shard what became of a request that it observes. */
export interface ObservedExchange {
  /**
   * Called once, when the kernel has the last byte of the response, or none will follow.
   * @param status 0 if nothing was sent
   * @param isAborted the response was not sent completely
   */
  ended(status: number, isAborted: boolean): void;
}

/** Another exchange reports instead. */
export const REPORTED: ObservedExchange = { ended() {} };

/** What the access log knows about a request. Times are of `performance.now()`. */
export interface LogEntry {
  method: string | null;
  target: string | null;
  /** The client's address. */
  ip: string | undefined;
  since: number;
  /** The valid request id that the client sent, if request ids are enabled. */
  sentId: string | undefined;
  /** The handler's `req.id`, or the id that the client gets with a rejection. */
  id: string | undefined;
  /** Set once the head was passed to the socket. */
  status: number | null;
  /** Bytes of head and body that were passed to the socket. */
  bytes: number;
}

/** Owns the slots of exchanges. */
export interface ExchangeOwner {
  /** The response was sent or is not needed: its slot is free. */
  release(exchange: Exchange): void;
  /** Copies the response into private memory and gives its extent back. `false` if such copies already take too much. */
  detach(exchange: Exchange): boolean;
  /** The client has sent its last byte, and may have disconnected. */
  announceAbort(exchange: Exchange): void;
  /** The connection is closed: the response is no longer needed. */
  abandon(exchange: Exchange): void;
  /**
   * The HTTP thread responds with `instead` while the request is queued or its handler is running.
   * @param code why
   */
  answeredEarly(exchange: Exchange, instead: Exchange, code: string): void;
  /** The shard that has started the handler, or -1. It may differ from the one to which the request was submitted. */
  runner(exchange: Exchange): number;
}

/** What is known about all requests of a route. */
export interface RouteTraits {
  /** Request bodies may be read as streams. */
  readonly isStreamed: boolean;
  /** An app for node:http responds: as there, a client that ends its side of the connection counts as gone. */
  readonly abortsOnHalfClose: boolean;
  /** Handlers may take over connections whose clients offer another protocol. */
  readonly takesUpgrades: boolean;
  /** Recent estimate of the size of its largest response, in bytes. */
  responseBytes: number;
}

/** A request and its response, from the last byte of the request to the last byte of the response. HTTP thread only. */
export class Exchange {
  /** The slot that carries it, or -1 if the HTTP thread responds itself. */
  readonly slot: number;
  /** Undefined if the HTTP thread responds itself. */
  readonly owner: ExchangeOwner | undefined;
  /** Identifies the request in the slot. */
  sequence = 0;
  /** The connection that waits for the response; undefined once it is closed. */
  connection: Receiver | undefined;
  /** The next request of the same connection. */
  next: Exchange | undefined;
  /** Whether the connection is closed after this response. */
  close = false;
  /** HTTP/1.0: whether the response must say that the connection is kept alive. */
  sayKeepAlive = false;
  /** Whether the client offers another protocol, which the handler may accept. */
  isOffer = false;
  /** Bytes behind the request that its record has, if it is an offer. */
  upgradeHeadBytes = 0;
  /** Whether the connection is closed instead of sending this response. */
  isCut = false;
  /** Interim responses that were not passed to the socket yet. */
  interim: Uint8Array | undefined;
  /** Whether the response is complete. */
  ready = false;
  /** Response head and body: a view of the slot or of an extent, or private bytes. */
  bytes: Buffer | undefined;
  /** Whether `bytes` is private rather than a view of shared memory. */
  isPrivate = false;
  /** Bytes of the head; 0 if the app has formed it. */
  headBytes = 0;
  /** Expected size of the response in bytes when the request was admitted. */
  promisedBytes = 0;
  /** The extent that the response lies in, or NO_EXTENT. */
  extent = NO_EXTENT;
  /** Bytes of the response that were copied out of its extent; 0 if it lies where it was written. */
  detachedBytes = 0;
  /** The extent that the request record lies in, or NO_EXTENT. */
  requestExtent = NO_EXTENT;
  /** Set if the response arrives in pieces: `bytes` is the first one. It is sent as it arrives, and `ready` is set at its end. */
  stream: StreamedAnswer | undefined;
  /** The request's body, if it is read as a stream. */
  upload: StreamedRequest | undefined;
  /** What a rejection needs to know about the request, if rejections depend on it. */
  refused: RefusedRequest | undefined;
  /** Its entry in the access log, if enabled. */
  entry: LogEntry | undefined;
  /** The shard that has given its slot back, which may differ from the one to whose ring it was submitted; -1 before that. */
  ranOn = -1;
  /** Of its route; undefined if the HTTP thread responds itself. */
  route: RouteTraits | undefined;
  /** Set once a shard is to be told what became of the request. */
  observed: ObservedExchange | undefined;
  /** Counts its response, if metrics are enabled; undefined if the request could not be parsed. */
  counter: ResponseCounter | undefined;

  /** Creates one for a response of the HTTP thread itself. */
  static answered(connection: Receiver, { bytes, headBytes }: Answer): Exchange {
    const exchange = new Exchange(-1);
    exchange.connection = connection;
    exchange.bytes = bytes;
    exchange.headBytes = headBytes;
    exchange.ready = true;
    return exchange;
  }

  /** Creates one that continues a streamed response whose slot is free. */
  static continued({
    owner,
    connection,
    stream,
    bytes,
    headBytes,
    route,
    counter,
    upload,
    observed,
  }: Exchange): Exchange {
    const exchange = new Exchange(-1, owner);
    exchange.connection = connection;
    exchange.stream = stream;
    exchange.route = route;
    exchange.counter = counter;
    exchange.observed = observed;
    if (stream?.begun === false) exchange.bytes = bytes;
    if (stream?.isUpgrade === true) exchange.upload = upload;
    exchange.headBytes = headBytes;
    return exchange;
  }

  constructor(slot: number, owner?: ExchangeOwner) {
    this.slot = slot;
    this.owner = owner;
  }

  /** For a request that was admitted by a thread that has ended: its client has disconnected. */
  adopt(route: RouteTraits, sequence: number, requestExtent: number): void {
    this.route = route;
    this.sequence = sequence;
    this.requestExtent = requestExtent;
  }

  /** Prepares for the next request in the same slot. `bytes` is kept, because the next response may have the same size. */
  reset(connection: Receiver, route: RouteTraits): void {
    this.connection = connection;
    this.next = undefined;
    this.close = false;
    this.sayKeepAlive = false;
    this.isOffer = false;
    this.isCut = false;
    this.interim = undefined;
    this.ready = false;
    this.stream = undefined;
    this.upload = undefined;
    this.ranOn = -1;
    this.observed = undefined;
    this.route = route;
  }
}
