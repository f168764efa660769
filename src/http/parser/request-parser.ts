import {
  FIELD_BYTES,
  HEAD_BEGUN_STATE,
  HEAD_COMPLETE_STATE,
  HEAD_IDLE_STATE,
  HEAD_TARGET_TOO_LONG_STATE,
  HEAD_TOO_LARGE_STATE,
} from '../../../assembly/layout.js';
import { ALL_METHODS, METHODS } from '../../options/methods.js';
import type { Reason } from '../answers.js';
import { ChunkedBody } from './chunked-body.js';
import { EmptyLines } from './empty-lines.js';
import type { HeadRules } from './head-rules.js';
import type { KnownHeads } from './known-heads.js';
import { LargeRecord } from './large-record.js';
import {
  CHUNK_BYTES,
  GO_ON,
  PARSED,
  PAUSED,
  PAUSED_FOR_UPGRADE,
  type ParserEvents,
  type Parsers,
  SKIP_BODY,
  STOP,
  STOPPED_BY_CALLBACK,
} from './llhttp.js';
import { refusalOf } from './parse-failure.js';
import { PartialMessage } from './partial-message.js';
import { RequestInHand } from './request-in-hand.js';
import type { BodyRules, ParserHost, RequestSink } from './request-sink.js';
import { parseAbsolute, replaceTarget } from './target.js';

const OPTIONS = METHODS.indexOf('OPTIONS');
const LINE_FEED = 0x0a;
const SLASH = 0x2f;
/** The line end of the last field, and the empty line. */
const HEAD_END = Buffer.from('\r\n\r\n');
const SPACE = 0x20;
/** Bytes from the end of the target to the end of a head without fields: " HTTP/1.0" and two line ends. */
const LEAST_REST_BYTES = 13;

const NO_BODY: BodyRules = { isStreamed: false, isAuto: false, maxBytes: 0 };

/** Parses the bytes of one connection: at most one request at a time. HTTP thread only. */
export class RequestParser extends RequestInHand implements ParserEvents {
  /** Why the connection's input is rejected. */
  failure: Reason | undefined;
  /** Bytes not parsed because the sink wanted no more requests; `resume` continues with them. */
  rest: Buffer | undefined;
  declare protected large: LargeRecord | undefined;
  readonly #rules: HeadRules;
  readonly #heads: KnownHeads;
  readonly #sink: RequestSink;
  readonly #host: ParserHost;
  readonly #parser: number;
  readonly #chunked = new ChunkedBody();
  readonly #emptyLines = new EmptyLines();
  /** Address after the last message; or of the end of its last field, if it had no body and arrived in one piece. */
  #messageEnd = 0;
  #isMessageEndExact = true;
  /** Limit of the current body. */
  #maxBodyBytes = 0;
  /** Bytes of a streamed body that have arrived. */
  #streamedBytes = 0;
  /** Whether the client waits for `100 Continue` before it sends a body that has no extent yet. */
  #owesContinue = false;
  /** Whether llhttp rejects what follows the last request that it has parsed. */
  #isOver = false;
  /** Whether the head of a rejected request is complete. */
  #isFailedKnown = false;
  /** Address of the bytes being parsed. */
  #runStart = 0;
  #runEnd = 0;

  constructor(parsers: Parsers, sink: RequestSink, host: ParserHost) {
    super(parsers.instance(), parsers.index);
    this.#rules = parsers.rules;
    this.#heads = parsers.heads;
    this.#sink = sink;
    this.#host = host;
    this.#parser = this.llhttp.open();
  }

  close(): void {
    this.large?.close();
    this.llhttp.close(this.#parser);
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The chunk into which sockets read. */
  get chunk(): Buffer {
    return this.llhttp.chunk;
  }

  /** Parses the first `bytes` bytes of the instance's chunk. Check `failure` and `rest` afterwards. */
  feedInPlace(bytes: number): void {
    const { chunk, chunkAddress } = this.llhttp;
    if (this.rest !== undefined) this.rest = Buffer.concat([this.rest, chunk.subarray(0, bytes)]);
    else this.#run(chunkAddress, chunkAddress + bytes);
  }

  /** Parses bytes from another buffer. Check `failure` and `rest` afterwards. */
  feed(bytes: Buffer): void {
    for (let start = 0; start < bytes.length && this.failure === undefined; start += CHUNK_BYTES) {
      const piece = bytes.subarray(start, start + CHUNK_BYTES);
      this.llhttp.chunk.set(piece);
      this.feedInPlace(piece.length);
    }
  }

  /** Continues after the sink wanted no more requests, or no extent was available for one. */
  resume(): void {
    const rest = this.rest;
    if (rest === undefined) return;
    this.rest = undefined;
    if (this.large === undefined) this.llhttp.resume(this.#parser, PAUSED);
    if (rest.length > 0) this.feed(rest);
    else if (this.large !== undefined) this.feedInPlace(0);
  }

  /** Where to read the next bytes: the chunk; or the record of a large request, if only its body is missing. */
  get readTarget(): Uint8Array {
    return this.large?.isPlaced === true ? this.large.target : this.llhttp.chunk;
  }

  /** Number of missing bytes of a body that has an extent. */
  get missingBytes(): number {
    return this.large?.missingBytes ?? 0;
  }

  /** Whether the next bytes are read directly into the record of a large request. */
  get isDirect(): boolean {
    return this.large?.isPlaced === true;
  }

  /** The first `bytes` bytes of `readTarget`, which is not the chunk, are filled. Check `rest` afterwards. */
  filled(bytes: number): void {
    const large = this.large!;
    large.filled(bytes);
    if (large.isWhole && this.#completeLarge()) this.rest = Buffer.alloc(0);
  }

  /** Whether a request has arrived only partly. */
  get midMessage(): boolean {
    return this.partial !== undefined || this.isStreamed;
  }

  /** Whether a head has arrived only partly. */
  get midHead(): boolean {
    return this.partial !== undefined && !this.partial.headComplete;
  }

  /** The client has sent its last byte. Returns `true` if this was between two requests. */
  finish(): boolean {
    if (this.midMessage) return false;
    // llhttp does not know yet that a skipped body has ended: even a run over no bytes tells it.
    this.llhttp.execute(this.#parser, this, this.llhttp.chunkAddress, 0);
    return this.llhttp.finish(this.#parser, this) === PARSED;
  }

  #run(start: number, end: number): void {
    this.#runStart = start;
    this.#runEnd = end;
    if (this.large !== undefined) {
      const from = this.#fill(start, end);
      if (this.large !== undefined || this.rest !== undefined || from === end) return;
      start = from;
      this.#runStart = start;
    }
    if (!this.#mayParse(start, end)) return;
    const isBetween = !this.midMessage && !this.#isOver;
    if (isBetween && this.#takeKnown(start, end)) return;
    if (this.partial !== undefined) this.#restorePartial(start);
    else this.index.state = this.isStreamed ? HEAD_COMPLETE_STATE : HEAD_IDLE_STATE;
    let at = start;
    for (;;) {
      const result = this.llhttp.execute(this.#parser, this, at, end - at);
      if (result === PARSED) break;
      if (result !== PAUSED && result !== PAUSED_FOR_UPGRADE) return this.#fail(result);
      at = this.llhttp.position(this.#parser);
      if (this.large !== undefined) {
        this.#keepPartial().saveIndex(this.index);
        at = this.#fill(at, end);
        if (this.large !== undefined || this.rest !== undefined || at === end) return;
        this.#messageEnd = at;
        this.#isMessageEndExact = true;
        continue;
      }
      if (result === PAUSED) {
        this.rest = Buffer.from(this.llhttp.bytes.subarray(at, end));
        return;
      }
      // An upgrade that is not accepted is an ordinary request (RFC 9110 section 7.8).
      this.llhttp.resume(this.#parser, result);
      if (at === end) break;
    }
    if (this.isStreamed) return;
    if (isBetween && this.#heads.wantsLast) this.#remember(start, end);
    const isInBody = this.index.state === HEAD_COMPLETE_STATE;
    if (!this.midMessage && !isInBody && !this.#areEmptyLinesValid(end)) this.failure = 'BAD_REQUEST';
    else if (this.index.state !== HEAD_IDLE_STATE) this.#savePartial(end);
  }

  /**
   * Completes a request that consists of the same bytes as an earlier one, without parsing them.
   * @returns `false` if there was none
   */
  #takeKnown(start: number, end: number): boolean {
    const known = this.#heads.find(this.llhttp.words, start, end - start);
    // A reload may have removed the last route of its method.
    if (known === undefined || known.method >= this.#host.methods) return false;
    known.restoreIndex(this.index, start);
    this.method = known.method;
    this.isHttp10 = false;
    if (this.#sink.onRequest(this)) this.rest = Buffer.alloc(0);
    return true;
  }

  /**
   * Remembers the last head if nothing else lies between `start` and `end`. HTTP/1.0, last requests, and offers of another protocol are left
   * to llhttp.
   */
  #remember(start: number, end: number): void {
    const { index, method } = this;
    if (index.state !== HEAD_IDLE_STATE || this.isHttp10 || !index.keepAlive || index.upgrade) return;
    if (index.base !== start + ALL_METHODS[method].length + 1) return;
    const { bytes, words } = this.llhttp;
    const headEnd = index.base + index.totalBytes;
    // Two line ends follow, unless the head was rewritten and is shorter than the bytes. For a field without a value, llhttp reports an end on
    // the next line.
    if (headEnd + HEAD_END.length !== end || bytes[headEnd - 1] === LINE_FEED) return;
    this.#heads.remember(words, start, end - start, index, method);
  }

  /**
   * Copies the bytes from `at` up to `end` into the record of a large request; once it is complete, `large` is undefined.
   * Returns the address of the first byte after the record's.
   */
  #fill(at: number, end: number): number {
    const large = this.large!;
    const { bytes } = this.llhttp;
    if (!large.isPlaced) {
      this.partial!.restoreIndex(this.index);
      if (!large.place(this, this.#host.records)) {
        this.rest = Buffer.from(bytes.subarray(at, end));
        this.#sink.onNoRoom();
        return end;
      }
      if (this.#owesContinue) this.#sink.onExpectContinue();
      this.#owesContinue = false;
    }
    const next = at + large.copy(bytes.subarray(at, end));
    if (!large.isWhole) return next;
    if (!this.#completeLarge()) return next;
    this.rest = Buffer.from(bytes.subarray(next, end));
    return end;
  }

  /** Completes the record of a large request. Returns `true` if the sink wants no more requests for now. */
  #completeLarge(): boolean {
    this.partial!.restoreIndex(this.index);
    const pause = this.#sink.onRequest(this);
    this.large!.close();
    this.large = undefined;
    this.partial = undefined;
    this.index.state = HEAD_IDLE_STATE;
    if (!pause) this.llhttp.resume(this.#parser, PAUSED);
    return pause;
  }

  /** Checks what is read before llhttp: chunks, and empty lines. */
  #mayParse(start: number, end: number): boolean {
    const { bytes } = this.llhttp;
    if (this.#chunked.isOpen) {
      const reason = this.#chunked.scan(bytes, start, end);
      this.#isMessageEndExact = true;
      if (reason !== undefined) {
        this.partial?.restoreIndex(this.index);
        this.#refuse(reason);
      }
    } else if (!this.midMessage) {
      this.#messageEnd = start;
      this.#isMessageEndExact = true;
      const isValid = !this.#emptyLines.areAt(bytes, start) || this.#emptyLines.check(bytes, start, end);
      if (!isValid) this.failure = 'BAD_REQUEST';
    }
    return this.failure === undefined;
  }

  /**
   * Whether the empty lines from the last message to the next one, or to `end`, contain no bare CR. Those before the first message of a run
   * were checked at its start.
   * @param next address of the next message, or the end of the bytes
   */
  #areEmptyLinesValid(end: number, next = end): boolean {
    const { bytes } = this.llhttp;
    let from = this.#messageEnd;
    if (from === this.#runStart && this.#isMessageEndExact) return true;
    if (!this.#isMessageEndExact) {
      // Usually the last field is not empty, and the head's end lies between it and the next message.
      if (next === from + HEAD_END.length && bytes[from + 1] === LINE_FEED && bytes[from + 3] === LINE_FEED)
        return true;
      from = this.#bodyStart(from);
    }
    if (next === from) return true;
    return this.#emptyLines.check(bytes, from, end);
  }

  #fail(result: number): void {
    if (this.failure !== undefined) return;
    const { state } = this.index;
    if (result !== STOPPED_BY_CALLBACK)
      this.failure = refusalOf(this.llhttp, this.#parser, result, this.#runStart, this.#runEnd);
    else if (state === HEAD_TARGET_TOO_LONG_STATE) this.failure = 'TARGET_TOO_LONG';
    else this.failure = state === HEAD_TOO_LARGE_STATE ? 'HEAD_TOO_LARGE' : 'BAD_REQUEST';
  }

  // ── messages in pieces ──────────────────────────────────────────────────────────────────────────────────────────

  #restorePartial(start: number): void {
    const partial = this.partial!;
    partial.restoreIndex(this.index);
    // The head continues at `start`: as if all of it lay right before.
    if (!partial.headComplete) this.index.base = start - partial.head.length;
  }

  #savePartial(end: number): void {
    const partial = this.#keepPartial();
    const { state } = this.index;
    if (partial.headComplete) return partial.saveIndex(this.index);
    if (state > HEAD_BEGUN_STATE) {
      if (this.#isLineBroken()) this.failure = 'BAD_REQUEST';
      partial.head = this.#headSoFar(end);
      if (partial.head.length > this.index.totalLimit) this.failure = 'HEAD_TOO_LARGE';
    } else {
      const bytes = Buffer.concat([partial.lineStart, this.llhttp.bytes.subarray(this.#runStart, end)]);
      partial.lineStart = Buffer.from(bytes.subarray(-2));
    }
    partial.saveIndex(this.index);
  }

  /** Head bytes from the target up to `end`, preceded by those of earlier chunks. */
  #headSoFar(end: number): Buffer {
    const partial = this.partial!;
    const start = this.index.base + partial.head.length;
    return Buffer.concat([partial.head, this.llhttp.bytes.subarray(start, end)]);
  }

  #keepPartial(): PartialMessage {
    if (this.partial !== undefined) return this.partial;
    const partial = new PartialMessage();
    if (this.index.state === HEAD_COMPLETE_STATE) {
      partial.head = Buffer.from(this.llhttp.bytes.subarray(this.headStart, this.headStart + this.headBytes));
      partial.headComplete = true;
      partial.body.append(this.body());
    }
    this.partial = partial;
    return partial;
  }

  // ── callbacks of llhttp ─────────────────────────────────────────────────────────────────────────────────────────

  onHead(found: number): number {
    const broken = this.#isLineBroken();
    const headEnd = this.index.base + this.headBytes;
    this.method = this.llhttp.method(this.#parser);
    const hasBareReturn = !this.#isBehindEmptyLines();
    this.#messageEnd = this.partial === undefined ? headEnd : this.#bodyStart(headEnd);
    this.#isMessageEndExact = this.partial !== undefined;
    if (this.partial !== undefined) this.#completePartialHead(headEnd);
    const rules = this.#rules;
    const reason = rules.check(this.headSource, this.headStart, found);
    this.isHttp10 = rules.isHttp10;
    if (reason !== undefined) return this.#refuse(reason);
    if (broken || hasBareReturn) return this.#refuse('BAD_REQUEST');
    if (this.method < 0 || this.method >= this.#host.methods) return this.#refuse('METHOD_NOT_IMPLEMENTED');
    const targetReason = this.headSource[this.headStart] === SLASH ? undefined : this.#checkOtherTarget();
    if (targetReason !== undefined) return this.#refuse(targetReason);
    const hasBody = rules.isChunked || rules.contentLength > 0;
    const { isStreamed, isAuto, maxBytes } = hasBody ? this.#host.bodyRules(this) : NO_BODY;
    this.#maxBodyBytes = maxBytes;
    if (rules.contentLength > maxBytes) return this.#refuse('BODY_TOO_LARGE');
    if (rules.isChunked) {
      const refusal = this.#beginChunked();
      if (refusal !== undefined) return this.#refuse(refusal);
    }
    const { records } = this.#host;
    const recordBytes = this.#recordBytes(rules.contentLength);
    const isLarge = rules.isChunked || rules.expectsContinue || !records.fitsSlot(recordBytes);
    if (isStreamed || (isAuto && isLarge)) return this.#beginStream();
    if (!rules.isChunked && !records.fitsSlot(recordBytes)) {
      // A record that fits no extent passes through several.
      if (recordBytes > records.mostBytes) return this.#beginStream();
      this.large = new LargeRecord(rules.contentLength, rules.contentLength);
      this.#owesContinue = rules.expectsContinue;
      return SKIP_BODY;
    }
    if (rules.expectsContinue) this.#sink.onExpectContinue();
    return GO_ON;
  }

  /** Size of the request's record with a body of this size. */
  #recordBytes(bodyBytes: number): number {
    return this.fieldCount * FIELD_BYTES + this.headBytes + bodyBytes;
  }

  /** Admits the request with its head; its body follows. */
  #beginStream(): number {
    const { isChunked, contentLength, expectsContinue } = this.#rules;
    this.#streamedBytes = 0;
    this.isStreamed = true;
    const reason = this.#letInStreamed(isChunked ? undefined : contentLength, expectsContinue);
    return reason === undefined ? GO_ON : this.#refuse(reason);
  }

  /** Reads the available part of a chunked body. */
  #beginChunked(): Reason | undefined {
    const start = this.#isMessageEndExact ? this.#messageEnd : this.#bodyStart(this.#messageEnd);
    this.#chunked.begin(this.#maxBodyBytes, this.index.totalLimit);
    this.#isMessageEndExact = true;
    return this.#chunked.scan(this.llhttp.bytes, start, this.#runEnd);
  }

  /** Address after the head whose last field ends at `headEnd`; called before the head is cut off there. */
  #bodyStart(headEnd: number): number {
    const { bytes } = this.llhttp;
    if (headEnd >= this.#runStart) {
      // For a field without a value, llhttp reports an end on the next line.
      const from = Math.max(this.#runStart, headEnd - HEAD_END.length);
      return bytes.indexOf(HEAD_END, from) + HEAD_END.length;
    }
    // The end of the head began in an earlier chunk.
    const begun = this.partial!.head.subarray(this.headBytes);
    const rest = bytes.subarray(this.#runStart, this.#runStart + HEAD_END.length);
    return this.#runStart + Buffer.concat([begun, rest]).indexOf(HEAD_END) + HEAD_END.length - begun.length;
  }

  protected get following(): { start: number; end: number } {
    const start = this.#isMessageEndExact ? this.#messageEnd : this.#bodyStart(this.#messageEnd);
    return { start, end: this.#runEnd };
  }

  /** Whether the empty lines before the request line contain no bare CR. Checked in the chunk in which the head ends. */
  #isBehindEmptyLines(): boolean {
    // For a message in pieces, this was checked when the first of them arrived.
    if (this.partial !== undefined || this.method < 0) return true;
    const next = this.index.base - ALL_METHODS[this.method].length - 1;
    return this.#areEmptyLinesValid(this.#runEnd, next);
  }

  /** Whether more than one space precedes the target (RFC 9112 section 3). Checked in the chunk in which the target begins. */
  #isLineBroken(): boolean {
    const partial = this.partial;
    if (partial !== undefined && partial.head.length > 0) return false;
    const distance = this.index.base - 2 - this.#runStart;
    if (distance >= 0) return this.llhttp.bytes[this.#runStart + distance] === SPACE;
    return partial?.lineStart.at(distance) === SPACE;
  }

  /**
   * Checks a target that is `*` or in absolute-form; the latter is rewritten in origin-form.
   * @returns why it is rejected
   */
  #checkOtherTarget(): Reason | undefined {
    const start = this.headStart;
    const text = this.headSource.latin1Slice(start, start + this.targetBytes);
    if (text === '*') return this.method === OPTIONS ? undefined : 'BAD_TARGET';
    const absolute = parseAbsolute(text, this.method === OPTIONS);
    if (absolute === undefined) return 'BAD_TARGET';
    // RFC 9110 section 7.4: https resources must not be served without TLS.
    if (absolute.isSecure && !this.#host.isSecure) return 'MISDIRECTED';
    const head = replaceTarget(this.index, this.headSource, start, absolute);
    // The new head does not fit the chunk.
    this.partial ??= new PartialMessage();
    this.partial.head = head;
    this.partial.headComplete = true;
    return undefined;
  }

  onBody(at: number, bytes: number): number {
    if (this.isStreamed) return this.#onStreamedBody(at, bytes);
    const bodyBytes = this.bodyBytes + bytes;
    if (bodyBytes > this.#maxBodyBytes) return this.#refuse('BODY_TOO_LARGE');
    this.#messageEnd = at + bytes;
    this.#isMessageEndExact = true;
    if (this.partial === undefined && this.index.noteBody(at, bytes)) return GO_ON;
    const { body } = this.#keepPartial();
    body.append(this.llhttp.bytes.subarray(at, at + bytes));
    if (this.#recordBytes(bodyBytes) > this.#host.records.mostBytes) return this.#streamOn(body.view());
    return GO_ON;
  }

  /** Streams a chunked body that has become larger than any extent: the available part of it, and what follows. */
  #streamOn(body: Buffer): number {
    this.#streamedBytes = body.length;
    this.isStreamed = true;
    const reason = this.#letInStreamed(undefined, false);
    if (reason !== undefined) return this.#refuse(reason);
    for (let at = 0; at < body.length; at += CHUNK_BYTES) {
      this.#sink.uploads.add(body, at, Math.min(CHUNK_BYTES, body.length - at), body.length);
    }
    return GO_ON;
  }

  /**
   * Admits a request with its head; its body follows as a stream. A head that is too large for a slot gets an extent.
   * @returns why it is rejected
   */
  #letInStreamed(length: number | undefined, expectsContinue: boolean): Reason | undefined {
    const { records } = this.#host;
    if (!records.fitsSlot(this.#recordBytes(0))) {
      this.large = new LargeRecord(0, 0);
      if (!this.large.place(this, records)) {
        this.large = undefined;
        this.isStreamed = false;
        return 'NO_SLOT';
      }
    }
    this.#sink.onStreamedHead(this, length, expectsContinue);
    this.large?.close();
    this.large = undefined;
    this.partial = undefined;
    return undefined;
  }

  #onStreamedBody(at: number, bytes: number): number {
    this.#streamedBytes += bytes;
    if (this.#streamedBytes > this.#maxBodyBytes) return this.#refuse('BODY_TOO_LARGE');
    this.#messageEnd = at + bytes;
    this.#isMessageEndExact = true;
    this.#sink.uploads.add(this.llhttp.bytes, at, bytes, this.#runEnd);
    return GO_ON;
  }

  onMessageComplete(): number {
    this.#isOver = !this.llhttp.goesOn(this.#parser);
    const chunkedEnd = this.#chunked.takeEnd();
    if (chunkedEnd > 0) this.#messageEnd = chunkedEnd;
    // Those of a body that is not streamed are dropped.
    const trailers = this.#chunked.takeTrailers();
    // The length of a chunked body is known only now.
    if (
      this.large === undefined &&
      !this.isStreamed &&
      !this.#host.records.fitsSlot(this.#recordBytes(this.bodyBytes))
    ) {
      this.large = new LargeRecord(this.bodyBytes, 0);
    }
    // Its record is filled outside the parser.
    if (this.large !== undefined) return PAUSED;
    const pause = this.isStreamed ? this.#sink.onStreamedEnd(trailers) : this.#sink.onRequest(this);
    this.isStreamed = false;
    this.partial = undefined;
    this.index.state = HEAD_IDLE_STATE;
    return pause ? PAUSED : GO_ON;
  }

  #completePartialHead(headEnd: number): void {
    const partial = this.partial!;
    const end = Math.max(headEnd, this.index.base + this.targetBytes + LEAST_REST_BYTES);
    partial.head = this.#headSoFar(Math.min(end, this.#runEnd));
    partial.headComplete = true;
  }

  #refuse(reason: Reason): number {
    this.failure = reason;
    this.#isFailedKnown = this.partial?.headComplete ?? this.index.state === HEAD_COMPLETE_STATE;
    return STOP;
  }

  /**
   * The current request, if its head is complete, even if it is rejected. Valid right after a feed, or between two. A request with a
   * streamed body was already admitted with its head.
   */
  get known(): RequestInHand | undefined {
    if (this.isStreamed) return undefined;
    if (this.failure !== undefined) return this.#isFailedKnown ? this : undefined;
    if (this.partial?.headComplete !== true) return undefined;
    this.partial.restoreIndex(this.index);
    return this;
  }
}
