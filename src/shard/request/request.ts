import { randomUUID } from 'node:crypto';
import {
  FIELD_BYTES,
  FIELD_NAME_BYTES_OFFSET,
  FIELD_NAME_OFFSET,
  FIELD_VALUE_BYTES_OFFSET,
  FIELD_VALUE_OFFSET,
  SLOT_BODY_STREAM_FLAG,
  SLOT_LAST_REQUEST_FLAG,
  SLOT_UPGRADE_FLAG,
} from '../../../assembly/layout.js';
import type { Params } from '../../app/handler.js';
import { type BodyFlow, type BodySink, type RequestSource, separatorOf } from '../../app/request.js';
import type { BodyPiece, RequestReport } from '../../contract/messages.js';
import type { Peer } from '../../contract/peer.js';
import { readPairs } from '../../contract/record-fields.js';
import type { SlotView } from '../../contract/slot-view.js';
import { LoopShardError } from '../../errors.js';
import { trimEnd } from '../../options/field-syntax.js';
import { ALL_METHODS, type AnyMethod } from '../../options/methods.js';
import { isSaneId } from '../../options/request-id.js';
import type { TrustedProxies } from '../../options/trust-proxy.js';
import type { ShardContext } from '../context.js';
import { Abortion } from './abortion.js';
import { DeliveredBody } from './delivered-body.js';
import { RequestBody } from './request-body.js';

/** Position of the minor version in what follows the target: " HTTP/1.0". */
const MINOR_OFFSET = 8;
const ZERO = 0x30;
/** What is known about a request without its slot. */
const KEPT_FLAGS = [SLOT_BODY_STREAM_FLAG, SLOT_LAST_REQUEST_FLAG, SLOT_UPGRADE_FLAG];

/** Memory that contains a request record. */
interface RecordMemory {
  readonly bytes: Buffer;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
}

/** A request's words in its slot. */
type RequestWords = Pick<
  SlotView,
  'sequence' | 'method' | 'targetBytes' | 'headBytes' | 'bodyBytes' | 'peer' | 'isSecure' | 'has'
>;

/** A request, read from its record: in its slot, in an extent, or in a copy once the slot carries another request. */
export class SlotRequest implements RequestSource {
  readonly slot: number;
  readonly #context: ShardContext;
  #words: RequestWords;
  #memory: RecordMemory;
  /** The route has `body: 'stream'`. */
  readonly isStreamed: boolean;
  /** Address of the field index, and of the head that follows it. */
  #start: number;
  #head: number;
  readonly #fieldCount: number;
  #finished = false;
  #isStreamTaken = false;
  #isViewTaken = false;
  #isDetached = false;
  #abortion: Abortion | undefined;
  /** A streamed body, if it is being read. */
  #body: RequestBody | DeliveredBody | undefined;
  #id: string | undefined;
  /** A body larger than any extent, assembled from its pieces. */
  #gathered: Buffer | undefined;

  constructor(context: ShardContext, slot: number, view: SlotView, isStreamed: boolean) {
    this.#context = context;
    this.slot = slot;
    this.#words = view;
    this.#memory = context.core;
    this.isStreamed = isStreamed;
    this.#fieldCount = view.fieldCount;
    this.#start = view.record;
    this.#head = this.#start + this.#fieldCount * FIELD_BYTES;
  }

  get id(): string {
    const { requestId } = this.#context;
    if (requestId !== undefined) {
      this.#id ??= this.#nameFrom(requestId);
      return this.#id;
    }
    return `${this.#context.shard.toString(36)}-${(this.sequence >>> 0).toString(36)}`;
  }

  get method(): AnyMethod {
    return ALL_METHODS[this.#own.method];
  }

  get target(): string {
    return this.#memory.bytes.latin1Slice(this.#head, this.#head + this.#own.targetBytes);
  }

  get peer(): Peer {
    return this.#own.peer;
  }

  get isSecure(): boolean {
    return this.#own.isSecure;
  }

  get keepAliveLines(): string {
    return this.#context.keepAliveLines;
  }

  get hasBody(): boolean {
    return this.#gathered !== undefined || (this.#own.bodyBytes > 0 && !this.offersUpgrade);
  }

  get isLast(): boolean {
    return this.#own.has(SLOT_LAST_REQUEST_FLAG);
  }

  get trusted(): TrustedProxies | undefined {
    return this.#context.trusted;
  }

  get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  onAbort(listener: () => void): void {
    this.#aborting.onAbort(listener);
  }

  params(method: AnyMethod, path: string): Params {
    return this.#context.app.params(method, path, this.offersUpgrade);
  }

  get sequence(): number {
    return this.#own.sequence;
  }

  /** Whether the client uses HTTP/1.0. The version follows the target. A request without headers is 1.0, because 1.1 requires Host. */
  get isHttp10(): boolean {
    const end = this.#head + this.#own.targetBytes;
    if (this.#fieldCount === 0) return true;
    return this.#memory.u8[end + MINOR_OFFSET] === ZERO;
  }

  header(name: string): string | undefined {
    this.#check();
    const { u16 } = this.#memory;
    const wanted = name.toLowerCase();
    let value: string | undefined;
    for (let i = 0, at = this.#start >> 1; i < this.#fieldCount; i++, at += FIELD_BYTES >> 1) {
      if (u16[at + (FIELD_NAME_BYTES_OFFSET >> 1)] !== wanted.length) continue;
      if (!this.#isName(at, wanted)) continue;
      const found = this.#value(at);
      value = value === undefined ? found : value + separatorOf(wanted) + found;
    }
    return value;
  }

  fields(visit: (name: string, value: string) => void): void {
    this.#check();
    const { u16, bytes } = this.#memory;
    for (let i = 0, at = this.#start >> 1; i < this.#fieldCount; i++, at += FIELD_BYTES >> 1) {
      const start = this.#head + u16[at + (FIELD_NAME_OFFSET >> 1)];
      const end = start + u16[at + (FIELD_NAME_BYTES_OFFSET >> 1)];
      visit(bytes.latin1Slice(start, end), this.#value(at));
    }
  }

  pairs(): string[] {
    return readPairs(this.head(), this.#memory.u16, this.#start >> 1, this.#fieldCount);
  }

  deliver(sink: BodySink): BodyFlow | undefined {
    if (!this.isBodyStreamed || this.#gathered !== undefined) return undefined;
    const body = new DeliveredBody(sink, (taken, spent) => this.#takeMore(taken, spent));
    this.#body = body;
    return body;
  }

  get offersUpgrade(): boolean {
    return this.#own.has(SLOT_UPGRADE_FLAG);
  }

  upgradeHead(): Buffer {
    const { start, end } = this.#bodyRange;
    return Buffer.from(this.#memory.u8.slice(start, end).buffer);
  }

  takeOver(sink: BodySink): BodyFlow {
    const body = new DeliveredBody(sink, (taken, spent) => this.#takeMore(taken, spent));
    this.#body = body;
    return body;
  }

  head(): string {
    const { headBytes } = this.#own;
    return this.#memory.bytes.latin1Slice(this.#head, this.#head + headBytes);
  }

  copyBytes(): Uint8Array<ArrayBuffer> {
    this.#checkWhole();
    if (this.#gathered !== undefined) return Uint8Array.from(this.#gathered);
    const { start, end } = this.#bodyRange;
    return this.#memory.u8.slice(start, end);
  }

  bytes(): Uint8Array {
    this.#checkWhole();
    if (this.#gathered !== undefined) return this.#gathered;
    this.#isViewTaken = !this.#isDetached;
    const { start, end } = this.#bodyRange;
    return this.#memory.bytes.subarray(start, end);
  }

  text(): string {
    this.#checkWhole();
    if (this.#gathered !== undefined) return this.#gathered.utf8Slice(0, this.#gathered.length);
    const { start, end } = this.#bodyRange;
    return this.#memory.bytes.utf8Slice(start, end);
  }

  stream(): AsyncIterableIterator<Uint8Array> {
    this.#check();
    if (this.#isStreamTaken) {
      throw new LoopShardError(
        'BODY_STREAMED',
        'Cannot call `req.stream()` twice: the body can be read once. Keep what the first call returned.',
      );
    }
    this.#isStreamTaken = true;
    if (this.#gathered !== undefined) return wholeBody(this.#gathered);
    if (this.isBodyStreamed) return this.openBody();
    const { start, end } = this.#bodyRange;
    return wholeBody(this.#memory.u8.slice(start, end));
  }

  /** The body is not in the record: it arrives in pieces. */
  get isBodyStreamed(): boolean {
    return this.#own.has(SLOT_BODY_STREAM_FLAG);
  }

  /** Opens the streamed body. */
  openBody(): RequestBody {
    const body = new RequestBody((taken, spent) => this.#takeMore(taken, spent));
    this.#body = body;
    return body;
  }

  /** Tells the HTTP thread that bytes of the streamed body were taken. */
  #takeMore(taken: number, spent: ArrayBuffer[]): void {
    const { slot, sequence } = this;
    const report: RequestReport = { type: 'body', credit: { slot, sequence, taken, spent } };
    this.#context.http.of(slot).postMessage(report, spent);
  }

  /** Receives a piece of the body. If the body breaks off, the client does not wait for the response either. */
  receiveBody(piece: BodyPiece): void {
    // Before `receive`, because the handler may settle when it sees the end of the body.
    if (piece.last === 'broken') this.abort();
    this.#body?.receive(piece);
  }

  /** Sets the body that was assembled from its pieces. */
  gather(body: Buffer): void {
    this.#gathered = body;
  }

  /** The handler was given a view of the slot's memory. */
  get isViewTaken(): boolean {
    return this.#isViewTaken;
  }

  /**
   * Aborts the request: nobody waits for the response.
   * @param isGone whether the response cannot be sent
   * @param reason reason of the signal
   */
  abort(isGone = false, reason?: unknown): void {
    this.#aborting.abort(isGone, reason);
  }

  get isAborted(): boolean {
    return this.#abortion?.isAborted === true;
  }

  /** The response cannot be sent. */
  get isGone(): boolean {
    return this.#abortion?.isGone === true;
  }

  get #aborting(): Abortion {
    this.#check();
    this.#abortion ??= new Abortion();
    return this.#abortion;
  }

  /**
   * Copies the request out of its slot, so that the slot can carry another one.
   * @returns `false` if the slot is still needed: the handler has a view of its memory, or the body is still arriving
   */
  detach(): boolean {
    const isComing = this.isBodyStreamed && this.#gathered === undefined && this.#body?.isOver !== true;
    if (this.#isViewTaken || isComing) return false;
    const { sequence, method, targetBytes, headBytes, peer, isSecure } = this.#own;
    const isStreamed = this.isBodyStreamed;
    const bodyBytes = isStreamed ? 0 : this.#own.bodyBytes;
    const u8 = this.#memory.u8.slice(this.#start, this.#head + headBytes + bodyBytes);
    const { buffer } = u8;
    this.#memory = { u8, bytes: Buffer.from(buffer), u16: new Uint16Array(buffer, 0, u8.length >> 1) };
    this.#head -= this.#start;
    this.#start = 0;
    const flags = KEPT_FLAGS.reduce((sum, flag) => sum | (this.#own.has(flag) ? flag : 0), 0);
    const has = (flag: number) => (flags & flag) !== 0;
    this.#words = { sequence, method, targetBytes, headBytes, bodyBytes, peer, isSecure, has };
    this.#isDetached = true;
    return true;
  }

  /** Address range of the body. */
  get #bodyRange(): { start: number; end: number } {
    const { headBytes, bodyBytes } = this.#own;
    const start = this.#head + headBytes;
    return { start, end: start + bodyBytes };
  }

  /** The handler has settled, or the request was taken from it. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Ends access to the request: the slot is about to carry another one. */
  finish(): void {
    this.#finished = true;
    this.#body?.close();
  }

  #nameFrom(field: string): string {
    const sent = this.header(field);
    return isSaneId(sent) ? sent : randomUUID();
  }

  /** The request's words. Throws once the request is finished. */
  get #own(): RequestWords {
    this.#check();
    return this.#words;
  }

  #check(): void {
    if (!this.#finished) return;
    throw new LoopShardError(
      'REQUEST_FINISHED',
      'Cannot read the request: it is already finished, and its memory is reused. Read or copy what you need before the handler settles.',
    );
  }

  /** Throws on streaming routes even if the request has no body, so that the mistake shows with every request. */
  #checkWhole(): void {
    this.#check();
    if (!this.isStreamed) return;
    throw new LoopShardError(
      'BODY_STREAMED',
      "Cannot read the whole body: the route has `body: 'stream'`, so it may still be arriving. Read it with `req.stream()`.",
    );
  }

  /** Whether the field at `at` has the lower-case `name` of the same length. Field names are ASCII tokens. */
  #isName(at: number, name: string): boolean {
    const { u16, u8: bytes } = this.#memory;
    const start = this.#head + u16[at + (FIELD_NAME_OFFSET >> 1)];
    for (let i = 0; i < name.length; i++) {
      let byte = bytes[start + i];
      if (byte >= 0x41 && byte <= 0x5a) byte |= 0x20;
      if (byte !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  #value(at: number): string {
    const { u16, bytes } = this.#memory;
    const start = this.#head + u16[at + (FIELD_VALUE_OFFSET >> 1)];
    return trimEnd(bytes.latin1Slice(start, start + u16[at + (FIELD_VALUE_BYTES_OFFSET >> 1)]));
  }
}

/** Yields a body that has arrived completely. */
async function* wholeBody(bytes: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  if (bytes.length > 0) yield bytes;
  return undefined;
}
