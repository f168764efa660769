import { randomUUID } from 'node:crypto';
import { parse as parseQuery } from 'fast-querystring';
import {
  FIELD_BYTES,
  FIELD_NAME_BYTES_OFFSET,
  FIELD_NAME_OFFSET,
  FIELD_VALUE_BYTES_OFFSET,
  FIELD_VALUE_OFFSET,
  SLOT_BODY_BYTES_OFFSET,
  SLOT_BODY_STREAM_FLAG,
  SLOT_DATA_OFFSET,
  SLOT_FIELD_COUNT_OFFSET,
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_BYTES_OFFSET,
  SLOT_METHOD_OFFSET,
  SLOT_REQUEST_TRANSFERRED_FLAG,
  SLOT_ROUTE_OFFSET,
  SLOT_SEQUENCE_OFFSET,
  SLOT_TARGET_BYTES_OFFSET,
} from '../../../assembly/layout.js';
import type { Params, Query, ShardRequest } from '../../app/handler.js';
import { slotAddress } from '../../contract/memory-map.js';
import { METHODS, type Method } from '../../contract/messages.js';
import { LoopShardError } from '../../errors.js';
import { trimEnd } from '../../options/field-syntax.js';
import { isSaneId } from '../../options/request-id.js';
import type { ShardContext } from '../context.js';

const HTTP_10 = ' HTTP/1.0';

/** A request over its record, in the slot or in a buffer of its own. */
export class SlotRequest implements ShardRequest {
  readonly #context: ShardContext;
  readonly #slot: number;
  readonly #word: number;
  /** What the record lies in, and where. */
  #bytes: Buffer;
  #u16: Uint16Array;
  readonly #start: number;
  readonly #head: number;
  readonly #fieldCount: number;
  #finished = false;
  #isStreamTaken = false;
  #id: string | undefined;

  constructor(context: ShardContext, slot: number) {
    const { core, plan } = context;
    const { i32 } = core;
    const address = slotAddress(plan, slot);
    const word = address >> 2;
    this.#context = context;
    this.#slot = slot;
    this.#word = word;
    this.#fieldCount = i32[word + (SLOT_FIELD_COUNT_OFFSET >> 2)];
    if ((i32[word + (SLOT_FLAGS_OFFSET >> 2)] & SLOT_REQUEST_TRANSFERRED_FLAG) === 0) {
      this.#bytes = core.bytes;
      this.#u16 = core.u16;
      this.#start = address + SLOT_DATA_OFFSET;
    } else {
      const record = takeRecord(context, slot, i32[word + (SLOT_SEQUENCE_OFFSET >> 2)]);
      this.#bytes = Buffer.from(record);
      this.#u16 = new Uint16Array(record, 0, record.byteLength >> 1);
      this.#start = 0;
    }
    this.#head = this.#start + this.#fieldCount * FIELD_BYTES;
  }

  get id(): string {
    const { requestId } = this.#context;
    if (requestId !== undefined) {
      this.#id ??= this.#nameFrom(requestId);
      return this.#id;
    }
    return `${this.#context.shard.toString(36)}-${(this.#read(SLOT_SEQUENCE_OFFSET) >>> 0).toString(36)}`;
  }

  get method(): Method {
    return METHODS[this.#read(SLOT_METHOD_OFFSET)];
  }

  get target(): string {
    return this.#bytes.latin1Slice(this.#head, this.#head + this.#read(SLOT_TARGET_BYTES_OFFSET));
  }

  get path(): string {
    const { target } = this;
    const end = target.indexOf('?');
    return end < 0 ? target : target.slice(0, end);
  }

  get params(): Params {
    return this.#context.app.params(this.method, this.path);
  }

  get query(): Query {
    const { target } = this;
    const start = target.indexOf('?');
    return parseQuery(start < 0 ? '' : target.slice(start + 1)) as Query;
  }

  get signal(): AbortSignal {
    return this.#context.signals.signal(this.#slot, this.#read(SLOT_SEQUENCE_OFFSET));
  }

  get sequence(): number {
    return this.#read(SLOT_SEQUENCE_OFFSET);
  }

  /** The client speaks HTTP/1.0. The record has the version behind the target, unless there are no fields: 1.1 has one. */
  get isHttp10(): boolean {
    if (this.#fieldCount === 0) return true;
    const end = this.#head + this.#read(SLOT_TARGET_BYTES_OFFSET);
    return this.#bytes.latin1Slice(end, end + HTTP_10.length) === HTTP_10;
  }

  header(name: string): string | undefined {
    this.#check();
    const wanted = name.toLowerCase();
    let value: string | undefined;
    for (let i = 0, at = this.#start >> 1; i < this.#fieldCount; i++, at += FIELD_BYTES >> 1) {
      if (this.#u16[at + (FIELD_NAME_BYTES_OFFSET >> 1)] !== wanted.length) continue;
      if (!this.#isName(at, wanted)) continue;
      const found = this.#value(at);
      value = value === undefined ? found : value + separator(wanted) + found;
    }
    return value;
  }

  headers(): Record<string, string> {
    this.#check();
    const headers: Record<string, string> = Object.create(null);
    for (let i = 0, at = this.#start >> 1; i < this.#fieldCount; i++, at += FIELD_BYTES >> 1) {
      const start = this.#head + this.#u16[at + (FIELD_NAME_OFFSET >> 1)];
      const end = start + this.#u16[at + (FIELD_NAME_BYTES_OFFSET >> 1)];
      const name = this.#bytes.latin1Slice(start, end).toLowerCase();
      const value = this.#value(at);
      headers[name] = name in headers ? headers[name] + separator(name) + value : value;
    }
    return headers;
  }

  bytes(): Uint8Array {
    this.#checkWhole();
    const start = this.#head + this.#read(SLOT_HEAD_BYTES_OFFSET);
    return this.#bytes.subarray(start, start + this.#read(SLOT_BODY_BYTES_OFFSET));
  }

  text(): string {
    this.#checkWhole();
    const start = this.#head + this.#read(SLOT_HEAD_BYTES_OFFSET);
    return this.#bytes.utf8Slice(start, start + this.#read(SLOT_BODY_BYTES_OFFSET));
  }

  json<T>(): T {
    try {
      return JSON.parse(this.text()) as T;
    } catch (cause) {
      if (cause instanceof LoopShardError) throw cause;
      throw new LoopShardError('BODY_INVALID', `The request body is not valid JSON: ${(cause as Error).message}.`, {
        cause,
      });
    }
  }

  stream(): AsyncIterableIterator<Uint8Array> {
    const isStreamed = this.isBodyStreamed;
    if (this.#isStreamTaken) {
      throw new LoopShardError('BODY_STREAMED', 'The request body can be read once; keep what stream() has returned.');
    }
    this.#isStreamTaken = true;
    if (isStreamed) return this.#context.bodies.open(this.#slot, this.sequence);
    const start = this.#head + this.#read(SLOT_HEAD_BYTES_OFFSET);
    return wholeBody(Uint8Array.prototype.slice.call(this.#bytes, start, start + this.#read(SLOT_BODY_BYTES_OFFSET)));
  }

  /** The body is not in the record: it comes, or has come, as a stream. */
  get isBodyStreamed(): boolean {
    return (this.#read(SLOT_FLAGS_OFFSET) & SLOT_BODY_STREAM_FLAG) !== 0;
  }

  /** Bytes of the record that lie in the slot. */
  get recordBytes(): number {
    if (this.#start === 0) return 0;
    return this.#fieldCount * FIELD_BYTES + this.#read(SLOT_HEAD_BYTES_OFFSET) + this.#read(SLOT_BODY_BYTES_OFFSET);
  }

  /** It was answered. */
  get finished(): boolean {
    return this.#finished;
  }

  /** The handler has settled: the slot is about to carry somebody else's request. */
  finish(): void {
    this.#finished = true;
    this.#context.signals.forget(this.#slot);
    this.#context.bodies.forget(this.#slot);
  }

  #nameFrom(field: string): string {
    const sent = this.header(field);
    return isSaneId(sent) ? sent : randomUUID();
  }

  #read(offset: number): number {
    this.#check();
    return this.#context.core.i32[this.#word + (offset >> 2)];
  }

  #check(): void {
    if (!this.#finished) return;
    throw new LoopShardError(
      'REQUEST_FINISHED',
      'The request was answered and its memory is in use again; read what you need before the handler settles, or copy it.',
    );
  }

  /** Without a body there is nothing to wait for, but a handler that only works then is wrong. */
  #checkWhole(): void {
    if (this.#context.app.route(this.#read(SLOT_ROUTE_OFFSET)).streamed === undefined) return;
    throw new LoopShardError(
      'BODY_STREAMED',
      "The route has body: 'stream', so the body is not here yet; read it with req.stream().",
    );
  }

  /** Is the name of the field at `at` the lower-case `name` of the same length? Field names are ASCII tokens. */
  #isName(at: number, name: string): boolean {
    const start = this.#head + this.#u16[at + (FIELD_NAME_OFFSET >> 1)];
    for (let i = 0; i < name.length; i++) {
      let byte = this.#bytes[start + i];
      if (byte >= 0x41 && byte <= 0x5a) byte |= 0x20;
      if (byte !== name.charCodeAt(i)) return false;
    }
    return true;
  }

  #value(at: number): string {
    const start = this.#head + this.#u16[at + (FIELD_VALUE_OFFSET >> 1)];
    return trimEnd(this.#bytes.latin1Slice(start, start + this.#u16[at + (FIELD_VALUE_BYTES_OFFSET >> 1)]));
  }
}

/** A body that is here already. */
async function* wholeBody(bytes: Uint8Array): AsyncGenerator<Uint8Array, undefined> {
  if (bytes.length > 0) yield bytes;
  return undefined;
}

/** The HTTP thread sent it before it submitted the slot, so it is here. */
function takeRecord(context: ShardContext, slot: number, sequence: number): ArrayBuffer {
  const record = context.transfers.take(slot, sequence);
  if (record !== undefined) return record;
  throw new LoopShardError('SHARD_FAILED', `The record of the request in slot ${slot} did not arrive.`);
}

/** Between the values of several fields of one name (RFC 9110 section 5.3; for cookie RFC 9113 section 8.2.3). */
function separator(name: string): string {
  return name === 'cookie' ? '; ' : ', ';
}
