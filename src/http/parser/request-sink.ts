import type { RecordRoom } from './large-record.js';
import type { RequestInHand } from './request-in-hand.js';

/** How the body of a request is taken. */
export interface BodyRules {
  /** It is read as a stream. */
  readonly isStreamed: boolean;
  /** A larger one gets 413. */
  readonly maxBytes: number;
}

/** What a parser needs to know and to have of the HTTP thread and of its connection. */
export interface ParserHost {
  readonly records: RecordRoom;
  /** TLS secures the connection. */
  readonly isSecure: boolean;
  /** Asked for requests with a body, once the head is complete. */
  bodyRules(request: RequestInHand): BodyRules;
}

/** Where bodies go that are read as streams. */
export interface BodySink {
  /** A piece at `at` in `memory`; the bytes that are being parsed end at `end`. */
  add(memory: Buffer, at: number, bytes: number, end: number): void;
}

/** What a connection does with what was parsed. Everything on the parser is valid during the call only. */
export interface RequestSink {
  /** The request is complete. Returns `true` to have no more of them for now. */
  onRequest(request: RequestInHand): boolean;
  /** There is no extent for the request's record: nothing more is read until `retry` of the parser finds one. */
  onNoRoom(): void;
  /** A body is on its way and the client waits for leave to send it. */
  onExpectContinue(): void;
  /** The head of a request is complete whose body is read as a stream; `length` is that of the body, if it is said. */
  onStreamedHead(request: RequestInHand, length: number | undefined, expectsContinue: boolean): void;
  /** Its body is whole. Returns what `onRequest` does. */
  onStreamedEnd(): boolean;
  readonly uploads: BodySink;
}
