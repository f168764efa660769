import type { RecordRoom } from './large-record.js';
import type { RequestInHand } from './request-in-hand.js';

/** How the body of a request is read. */
export interface BodyRules {
  /** Whether it is read as a stream. */
  readonly isStreamed: boolean;
  /** Whether it is read as a stream unless it is small, its length is known, and the client does not wait for `100 Continue`. */
  readonly isAuto: boolean;
  /** Larger bodies get 413. */
  readonly maxBytes: number;
}

/** What a parser needs from the HTTP thread and its connection. */
export interface ParserHost {
  readonly records: RecordRoom;
  /** Whether TLS secures the connection. */
  readonly isSecure: boolean;
  /** How many of ALL_METHODS, from the first one on, have routes. Others get 501. */
  readonly methods: number;
  /** Called for requests with a body, once the head is complete. */
  bodyRules(request: RequestInHand): BodyRules;
}

/** Receives bodies that are read as streams. */
export interface BodySink {
  /** Adds a piece at `at` in `memory`; the bytes being parsed end at `end`. */
  add(memory: Buffer, at: number, bytes: number, end: number): void;
}

/** Receives what was parsed. Everything on the parser is valid only during the call. */
export interface RequestSink {
  /** The request is complete. Returns `true` to receive no more requests for now. */
  onRequest(request: RequestInHand): boolean;
  /** No extent is available for the request's record: nothing more is read until `retry` of the parser finds one. */
  onNoRoom(): void;
  /** The client waits for `100 Continue` before it sends a body. */
  onExpectContinue(): void;
  /** The head of a request with a streamed body is complete; `length` is that of the body, if given. */
  onStreamedHead(request: RequestInHand, length: number | undefined, expectsContinue: boolean): void;
  /**
   * The streamed body is complete. Returns the same as `onRequest`.
   * @param trailers names and values of the trailer fields, one after the other
   */
  onStreamedEnd(trailers: string[]): boolean;
  readonly uploads: BodySink;
}
