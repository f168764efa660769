import {
  FIELD_BYTES,
  FIELD_NAME_BYTES_OFFSET,
  FIELD_NAME_OFFSET,
  FIELD_VALUE_BYTES_OFFSET,
  FIELD_VALUE_OFFSET,
  HEAD_BASE_OFFSET,
  HEAD_BEGUN_STATE,
  HEAD_BODY_BASE_OFFSET,
  HEAD_BODY_BYTES_OFFSET,
  HEAD_COMPLETE_STATE,
  HEAD_FIELD_COUNT_OFFSET,
  HEAD_FIELDS_OFFSET,
  HEAD_IDLE_STATE,
  HEAD_INDEX_OFFSET,
  HEAD_KEEP_ALIVE_OFFSET,
  HEAD_STATE_OFFSET,
  HEAD_TARGET_BYTES_OFFSET,
  HEAD_TARGET_TOO_LONG_STATE,
  HEAD_TOO_LARGE_STATE,
  HEAD_TOTAL_BYTES_OFFSET,
  HEAD_TOTAL_LIMIT_OFFSET,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import {
  CHUNK_BYTES,
  GO_ON,
  INVALID_VERSION,
  type Llhttp,
  PARSED,
  PAUSED,
  PAUSED_FOR_UPGRADE,
  type ParserEvents,
  STOP,
  STOPPED_BY_CALLBACK,
} from './llhttp.js';
import { PartialMessage } from './partial-message.js';

const index = (offset: number) => (HEAD_INDEX_OFFSET + offset) >> 2;
const BASE = index(HEAD_BASE_OFFSET);
const TARGET_BYTES = index(HEAD_TARGET_BYTES_OFFSET);
const TOTAL_BYTES = index(HEAD_TOTAL_BYTES_OFFSET);
const FIELD_COUNT = index(HEAD_FIELD_COUNT_OFFSET);
const STATE = index(HEAD_STATE_OFFSET);
const TOTAL_LIMIT = index(HEAD_TOTAL_LIMIT_OFFSET);
const KEEP_ALIVE = index(HEAD_KEEP_ALIVE_OFFSET);
const BODY_BASE = index(HEAD_BODY_BASE_OFFSET);
const BODY_BYTES = index(HEAD_BODY_BYTES_OFFSET);
const FIELDS = HEAD_INDEX_OFFSET + HEAD_FIELDS_OFFSET;

/** What a connection does with what was parsed. Everything on the parser is valid during the call only. */
export interface RequestSink {
  /** The request is complete. Returns `true` to have no more of them for now. */
  onRequest(request: RequestParser): boolean;
  /** A body is on its way and the client waits for leave to send it. */
  onExpectContinue(): void;
}

/** The bytes of one connection, parsed: at most one request at a time is in hand. HTTP thread only. */
export class RequestParser implements ParserEvents {
  /** Status to refuse the connection's input with, or 0. */
  failure = 0;
  /** What was not parsed because the sink wanted no more; `resume` goes on with it. */
  rest: Buffer | undefined;
  readonly #llhttp: Llhttp;
  readonly #core: CoreMemory;
  readonly #sink: RequestSink;
  readonly #bodyLimitBytes: number;
  readonly #parser: number;
  #partial: PartialMessage | undefined;
  #stoppedAs = PARSED;

  constructor(llhttp: Llhttp, core: CoreMemory, sink: RequestSink, bodyLimitBytes: number) {
    this.#llhttp = llhttp;
    this.#core = core;
    this.#sink = sink;
    this.#bodyLimitBytes = bodyLimitBytes;
    this.#parser = llhttp.open();
  }

  close(): void {
    this.#llhttp.close(this.#parser);
  }

  // ── the request in hand ─────────────────────────────────────────────────────────────────────────────────────────

  /** Index in METHODS, or -1. */
  get method(): number {
    return this.#llhttp.method(this.#parser);
  }

  get keepAlive(): boolean {
    return this.#core.i32[KEEP_ALIVE] === 1;
  }

  get isHttp10(): boolean {
    return this.#llhttp.version(this.#parser) === 10;
  }

  get targetBytes(): number {
    return this.#core.i32[TARGET_BYTES];
  }

  /** Target, version and fields. */
  get headBytes(): number {
    return this.#core.i32[TOTAL_BYTES];
  }

  /** The field index, in the core's memory. */
  fields(shared: Uint8Array): Uint8Array {
    return shared.subarray(FIELDS, FIELDS + this.fieldCount * FIELD_BYTES);
  }

  get fieldCount(): number {
    return this.#core.i32[FIELD_COUNT];
  }

  /** What holds the head, from `headStart` on. */
  get headSource(): Buffer {
    return this.#partial === undefined ? this.#llhttp.bytes : this.#partial.head;
  }

  get headStart(): number {
    return this.#partial === undefined ? this.#core.i32[BASE] : 0;
  }

  get bodyBytes(): number {
    return this.#partial === undefined ? this.#core.i32[BODY_BYTES] : this.#partial.body.length;
  }

  /** The body: a view. */
  body(): Buffer {
    if (this.#partial !== undefined) return this.#partial.body.view();
    const start = this.#core.i32[BODY_BASE];
    return this.#llhttp.bytes.subarray(start, start + this.#core.i32[BODY_BYTES]);
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Parses the first `bytes` bytes of the instance's chunk. Afterwards look at `failure` and `rest`. */
  feedInPlace(bytes: number): void {
    const { chunk, chunkAddress } = this.#llhttp;
    if (this.rest !== undefined) this.rest = Buffer.concat([this.rest, chunk.subarray(0, bytes)]);
    else this.#run(chunkAddress, chunkAddress + bytes);
  }

  /** Parses bytes that stand elsewhere. Afterwards look at `failure` and `rest`. */
  feed(bytes: Buffer): void {
    for (let start = 0; start < bytes.length && this.failure === 0; start += CHUNK_BYTES) {
      const piece = bytes.subarray(start, start + CHUNK_BYTES);
      this.#llhttp.chunk.set(piece);
      this.feedInPlace(piece.length);
    }
  }

  /** Goes on after the sink had wanted no more. */
  resume(): void {
    const rest = this.rest;
    if (rest === undefined) return;
    this.rest = undefined;
    this.#llhttp.resume(this.#parser, this.#stoppedAs);
    if (rest.length > 0) this.feed(rest);
  }

  /** A part of a request has arrived, and not all of it. */
  get midMessage(): boolean {
    return this.#partial !== undefined;
  }

  /** The client has sent its last byte. `true` if it did so between two requests. */
  finish(): boolean {
    return this.#partial === undefined && this.#llhttp.finish(this.#parser, this) === PARSED;
  }

  #run(start: number, end: number): void {
    const { i32 } = this.#core;
    if (this.#partial === undefined) i32[STATE] = HEAD_IDLE_STATE;
    else this.#restorePartial(start);
    let at = start;
    for (;;) {
      const result = this.#llhttp.execute(this.#parser, this, at, end - at);
      if (result === PARSED) break;
      if (result !== PAUSED && result !== PAUSED_FOR_UPGRADE) return this.#fail(result);
      at = this.#llhttp.position(this.#parser);
      if (result === PAUSED) {
        this.#stoppedAs = result;
        this.rest = Buffer.from(this.#llhttp.bytes.subarray(at, end));
        return;
      }
      // An offer to upgrade that nobody takes up is an ordinary request (RFC 9110 section 7.8).
      this.#llhttp.resume(this.#parser, result);
      if (at === end) break;
    }
    if (i32[STATE] !== HEAD_IDLE_STATE) this.#savePartial(end);
  }

  #fail(result: number): void {
    if (this.failure !== 0) return;
    const state = this.#core.i32[STATE];
    if (result === INVALID_VERSION) this.failure = 505;
    else if (result !== STOPPED_BY_CALLBACK) this.failure = 400;
    else if (state === HEAD_TARGET_TOO_LONG_STATE) this.failure = 414;
    else if (state === HEAD_TOO_LARGE_STATE) this.failure = 431;
    else this.failure = 400;
  }

  // ── messages in pieces ──────────────────────────────────────────────────────────────────────────────────────────

  #restorePartial(start: number): void {
    const partial = this.#partial!;
    partial.restoreIndex(this.#core);
    // The head goes on at `start`: as if all of it stood right before.
    if (!partial.headComplete) this.#core.i32[BASE] = start - partial.head.length;
  }

  #savePartial(end: number): void {
    const partial = this.#keepPartial();
    const state = this.#core.i32[STATE];
    if (!partial.headComplete && state > HEAD_BEGUN_STATE) {
      partial.head = this.#headSoFar(end);
      if (partial.head.length > this.#core.i32[TOTAL_LIMIT]) this.failure = 431;
    }
    partial.saveIndex(this.#core);
  }

  /** Head bytes from the target on up to `end`, with those of earlier chunks in front. */
  #headSoFar(end: number): Buffer {
    const partial = this.#partial!;
    const start = this.#core.i32[BASE] + partial.head.length;
    return Buffer.concat([partial.head, this.#llhttp.bytes.subarray(start, end)]);
  }

  #keepPartial(): PartialMessage {
    if (this.#partial !== undefined) return this.#partial;
    const partial = new PartialMessage();
    this.#partial = partial;
    if (this.#core.i32[STATE] === HEAD_COMPLETE_STATE) {
      const base = this.#core.i32[BASE];
      partial.head = Buffer.from(this.#llhttp.bytes.subarray(base, base + this.headBytes));
      partial.headComplete = true;
      const bodyStart = this.#core.i32[BODY_BASE];
      partial.body.append(this.#llhttp.bytes.subarray(bodyStart, bodyStart + this.#core.i32[BODY_BYTES]));
    }
    return partial;
  }

  // ── what llhttp reports ─────────────────────────────────────────────────────────────────────────────────────────

  onHead(): number {
    if (this.#partial !== undefined && !this.#partial.headComplete) this.#completePartialHead();
    const length = this.field('content-length');
    if (length !== undefined && Number(length) > this.#bodyLimitBytes) return this.#refuse(413);
    if (this.field('expect')?.toLowerCase() === '100-continue' && !this.isHttp10) this.#sink.onExpectContinue();
    return GO_ON;
  }

  onBody(at: number, bytes: number): number {
    if (this.bodyBytes + bytes > this.#bodyLimitBytes) return this.#refuse(413);
    if (this.#partial === undefined && this.#core.wasm.headBody(at, bytes) === 1) return GO_ON;
    const { body } = this.#keepPartial();
    body.append(this.#llhttp.bytes.subarray(at, at + bytes));
    return GO_ON;
  }

  onMessageComplete(): number {
    const version = this.#llhttp.version(this.#parser);
    if (version !== 11 && version !== 10) return this.#refuse(505);
    if (this.#partial !== undefined && !this.#partial.headComplete) this.#completePartialHead();
    const pause = this.#sink.onRequest(this);
    this.#partial = undefined;
    this.#core.i32[STATE] = HEAD_IDLE_STATE;
    return pause ? PAUSED : GO_ON;
  }

  #completePartialHead(): void {
    const partial = this.#partial!;
    partial.head = this.#headSoFar(this.#core.i32[BASE] + this.headBytes);
    partial.headComplete = true;
  }

  #refuse(status: number): number {
    this.failure = status;
    return STOP;
  }

  /**
   * The value of the first such field. Slow, for what is rarely asked.
   * @param name in lower case
   */
  field(name: string): string | undefined {
    const { u16 } = this.#core;
    for (let i = 0, at = FIELDS; i < this.fieldCount; i++, at += FIELD_BYTES) {
      if (u16[(at + FIELD_NAME_BYTES_OFFSET) >> 1] !== name.length) continue;
      const start = this.headStart + u16[(at + FIELD_NAME_OFFSET) >> 1];
      if (this.headSource.toString('latin1', start, start + name.length).toLowerCase() !== name) continue;
      const value = this.headStart + u16[(at + FIELD_VALUE_OFFSET) >> 1];
      const end = value + u16[(at + FIELD_VALUE_BYTES_OFFSET) >> 1];
      return this.headSource.toString('latin1', value, end).trim();
    }
    return undefined;
  }
}

const QUESTION_MARK = 0x3f;

/** The target up to the question mark. */
export function readPath({ headSource, headStart, targetBytes }: RequestParser): string {
  const end = headStart + targetBytes;
  let at = headStart;
  while (at < end && headSource[at] !== QUESTION_MARK) at++;
  return headSource.latin1Slice(headStart, at);
}
