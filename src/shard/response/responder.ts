import { types } from 'node:util';
import {
  SLOT_DATA_OFFSET,
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_RESPONSE_BODY_BYTES_OFFSET,
  SLOT_RESPONSE_HEAD_BYTES_OFFSET,
  SLOT_RESPONSE_OFFSET,
  SLOT_RESPONSE_TRANSFERRED_FLAG,
  SLOT_SEQUENCE_OFFSET,
} from '../../../assembly/layout.js';
import { EVENT_STREAM_FIELDS, isEventStream } from '../../app/event-stream.js';
import { slotAddress } from '../../contract/memory-map.js';
import { LoopShardError } from '../../errors.js';
import type { CompiledWriter } from '../../json/compile.js';
import { JsonWriter } from '../../json/direct.js';
import type { Encoding } from '../../options/compression.js';
import type { ShardContext } from '../context.js';
import type { SlotRequest } from '../request/request.js';
import { discardStream, isStream } from '../streams/stream-source.js';
import { type BodyPlace, BodyWriter } from './body.js';
import { CompressedStream, compress } from './compressor.js';
import { HeadWriter, type Template } from './head.js';
import { AS_IT_IS, NOT_MODIFIED, Representations } from './representations.js';
import type { SlotResponse } from './response.js';
import { fieldsTooLarge, finishWritten, isBodiless, isText, isUnframed, tagWithoutBody, toBytes } from './results.js';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const JSON_TYPE = 'application/json';
/** What a slot keeps free of header fields. */
const FIELDS_MARGIN_BYTES = 512;
/** In the place of a body's length: there is no content-length. */
const WITHOUT_LENGTH = -1;
const CHUNKED_LINE = 'transfer-encoding: chunked\r\n';

/** Bodies up to this size are compressed at once, larger ones by zlib's threads, as streams (docs/internals.md). */
const SYNC_COMPRESS_BYTES = 64 * 1024;
const NOTHING_MORE: AsyncIterator<unknown> = { next: async () => ({ done: true, value: undefined }) };

export interface StreamHead {
  bytes: Uint8Array;
  encoding: Encoding | undefined;
}

/** Where a response goes in its slot. */
interface Place extends BodyPlace {
  address: number;
  template: Template;
  lines: string;
}

/** Turns what a handler returned into a response in the slot. Shard. */
export class Responder {
  readonly #context: ShardContext;
  readonly #heads: HeadWriter;
  readonly #bodies: BodyWriter;
  readonly #representations = new Representations();
  /** What names the request in the response too. */
  readonly #idField: string | undefined;
  /** A record takes half of a slot at the most; so do the header fields of a response. */
  readonly #fieldsLimit: number;

  constructor(context: ShardContext) {
    this.#context = context;
    this.#heads = new HeadWriter(context.core, context.addresses.control, context.keepAliveLines);
    this.#bodies = new BodyWriter(context);
    this.#idField = context.requestId;
    this.#fieldsLimit = (context.plan.slotStride >> 1) - FIELDS_MARGIN_BYTES;
  }

  /**
   * Writes the response into the slot; a body that does not fit goes by transfer.
   * @param writer of the route's response schema
   * @returns a stream that is to be sent: nothing was written then
   * @throws LoopShardError RESPONSE_INVALID, RESPONSE_TOO_LARGE, HEADER_INVALID, VALUE_MISMATCH; whatever `toJSON` throws
   */
  respond(
    slot: number,
    request: SlotRequest,
    response: SlotResponse,
    value: unknown,
    writer: CompiledWriter | undefined,
  ): AsyncIterable<unknown> | undefined {
    if (response.compress !== undefined || response.tag !== undefined) {
      return this.#respondDescribed(slot, request, response, value, writer);
    }
    if (response.jsonWriter !== undefined) {
      this.#respondWritten(slot, request, response, value);
      return undefined;
    }
    const status = response.statusCode || (value === undefined ? 204 : 200);
    if (value === undefined || isBodiless(status)) {
      if (isStream(value)) discardStream(value);
      this.#empty(slot, request, response, status);
      return undefined;
    }
    const isBytes = types.isUint8Array(value);
    const isText = typeof value === 'string' && writer === undefined;
    if (!isBytes && !isText && writer === undefined && isStream(value)) {
      return this.#openBody(slot, request, response, value);
    }
    const place = this.#place(slot, request, response, status, isBytes ? BYTES : isText ? TEXT : JSON_TYPE);
    const bytes = isBytes || isText ? this.#bodies.write(place, value) : this.#bodies.writeJson(place, value, writer);
    this.#finish(place, bytes, this.#bodies.transferred);
    return undefined;
  }

  /** With an entity tag, compressed, or not at all because the client has it. */
  #respondDescribed(
    slot: number,
    request: SlotRequest,
    response: SlotResponse,
    value: unknown,
    writer: CompiledWriter | undefined,
  ): AsyncIterable<unknown> | undefined {
    const status = response.statusCode || 200;
    const isWritten = response.jsonWriter !== undefined;
    const hasNone = (value === undefined && !isWritten) || isBodiless(status);
    if (!isWritten && !hasNone && writer === undefined && isStream(value)) {
      return this.#openBody(slot, request, response, value);
    }
    if (hasNone) {
      if (isStream(value)) discardStream(value);
      this.#emptyDescribed(slot, request, response, value === undefined ? response.statusCode || 204 : status);
      return undefined;
    }
    const body = isWritten ? finishWritten(response, value) : toBytes(value, writer);
    response.contentType ??= types.isUint8Array(value) ? BYTES : isText(value, writer) ? TEXT : JSON_TYPE;
    const how = this.#representations.describe(request, response, body);
    if (how === NOT_MODIFIED) {
      this.#notModified(slot, request, response);
      return undefined;
    }
    return this.#sendDescribed(slot, request, response, body, how === AS_IT_IS ? undefined : how);
  }

  #sendDescribed(
    slot: number,
    request: SlotRequest,
    response: SlotResponse,
    body: Uint8Array,
    encoding: Encoding | undefined,
  ): AsyncIterable<unknown> | undefined {
    this.#bodies.checkLimit(body.length);
    const isHead = request.method === 'HEAD';
    // A copy, since the head goes into the slot too.
    if (encoding !== undefined && !isHead && body.length > SYNC_COMPRESS_BYTES) {
      return new CompressedStream(encoding, Uint8Array.from(body), NOTHING_MORE);
    }
    const bytes = encoding === undefined || isHead ? body : compress(encoding, body);
    const place = this.#place(slot, request, response, response.statusCode || 200, undefined);
    const length = this.#bodies.write(place, bytes);
    // How long it would be compressed is not known without doing it.
    this.#finish(place, encoding !== undefined && isHead ? WITHOUT_LENGTH : length, this.#bodies.transferred);
    return undefined;
  }

  #emptyDescribed(slot: number, request: SlotRequest, response: SlotResponse, status: number): void {
    if (response.fresh) return this.#notModified(slot, request, response);
    if (response.tag?.value !== undefined) response.set('etag', response.tag.value);
    this.#empty(slot, request, response, status);
  }

  #notModified(slot: number, request: SlotRequest, response: SlotResponse): void {
    if (response.tag?.value !== undefined && response.field('etag') === undefined)
      response.set('etag', response.tag.value);
    response.leaveOutBody();
    this.#empty(slot, request, response, 304);
  }

  /** Answers HEAD, which needs no stream; any other request gets it. */
  #openBody(
    slot: number,
    request: SlotRequest,
    response: SlotResponse,
    stream: AsyncIterable<unknown>,
  ): AsyncIterable<unknown> | undefined {
    if (!response.isDescribed && response.tag !== undefined && response.tag.value === undefined) throw tagWithoutBody();
    if (response.fresh) {
      discardStream(stream);
      this.#notModified(slot, request, response);
      return undefined;
    }
    if (request.method !== 'HEAD') return stream;
    discardStream(stream);
    describeEvents(response);
    this.#representations.describe(request, response, undefined);
    this.#finish(
      this.#place(slot, request, response, response.statusCode || 200, undefined, isChunked(request)),
      WITHOUT_LENGTH,
      false,
    );
    return undefined;
  }

  /**
   * The head of a stream.
   * @param standardType the content type, unless the handler has set one
   * @returns its bytes, and how the body is to be compressed; nothing if the response has no body: then all of it is in the slot
   * @throws LoopShardError HEADER_INVALID
   */
  streamHead(
    slot: number,
    request: SlotRequest,
    response: SlotResponse,
    standardType: string,
    hasBody: boolean,
  ): StreamHead | undefined {
    const status = response.statusCode || 200;
    if (!response.isDescribed && response.tag !== undefined && response.tag.value === undefined) throw tagWithoutBody();
    if (isBodiless(status) || response.fresh) {
      this.#emptyDescribed(slot, request, response, status);
      return undefined;
    }
    response.contentType ??= standardType;
    describeEvents(response);
    let encoding: Encoding | undefined;
    // Nothing at all would be longer when it is compressed.
    if (!response.isDescribed && hasBody) {
      const how = this.#representations.describe(request, response, undefined);
      if (how !== AS_IT_IS && how !== NOT_MODIFIED) encoding = how;
    }
    const place = this.#place(slot, request, response, status, undefined, isChunked(request));
    response.isSealed = true;
    const start = this.#heads.write(place.bodyStart, place.template, place.lines, WITHOUT_LENGTH);
    return { bytes: this.#context.core.u8.slice(start, place.bodyStart), encoding };
  }

  /** A JSON writer behind the room for the head. */
  openWriter(slot: number, request: SlotRequest, response: SlotResponse): JsonWriter {
    if (isBodiless(response.statusCode)) {
      throw new LoopShardError('RESPONSE_INVALID', `A response of status ${response.statusCode} has no body to write.`);
    }
    const place = this.#place(slot, request, response, response.statusCode || 200, JSON_TYPE);
    return new JsonWriter({ core: this.#context.core, position: place.bodyStart, limit: place.limit });
  }

  /** What the handler wrote with `res.writer()`. The head takes the room that was left for it. */
  #respondWritten(slot: number, request: SlotRequest, response: SlotResponse, value: unknown): void {
    const body = finishWritten(response, value);
    const status = response.statusCode || 200;
    const place = this.#place(slot, request, response, status, JSON_TYPE);
    const bytes = this.#bodies.writeWritten(place, body, response.jsonWriter!.inPlace);
    this.#finish(place, bytes, this.#bodies.transferred);
  }

  /** No body; 204 and 304 have no length either (RFC 9110 sections 15.3.5 and 15.4.5). */
  #empty(slot: number, request: SlotRequest, response: SlotResponse, status: number): void {
    const place = this.#place(slot, request, response, status, undefined);
    this.#finish(place, isUnframed(status) ? WITHOUT_LENGTH : 0, false);
  }

  #place(
    slot: number,
    request: SlotRequest,
    response: SlotResponse,
    status: number,
    standardType: string | undefined,
    isChunkedToo = false,
  ): Place {
    const { plan, core } = this.#context;
    const address = slotAddress(plan, slot);
    const word = address >> 2;
    const type = response.contentType ?? standardType;
    let lines = response.lines();
    if (isChunkedToo) lines += CHUNKED_LINE;
    if (this.#idField !== undefined && response.field(this.#idField) === undefined) {
      lines += `${this.#idField}: ${request.id}\r\n`;
    }
    if (lines.length + (type?.length ?? 0) > this.#fieldsLimit) throw fieldsTooLarge(lines, type, this.#fieldsLimit);
    const template = this.#heads.template(status, type);
    return {
      slot,
      sequence: core.i32[word + (SLOT_SEQUENCE_OFFSET >> 2)],
      address,
      template,
      lines,
      bodyStart: address + SLOT_DATA_OFFSET + request.recordBytes + this.#heads.room(template, lines),
      limit: address + plan.slotStride,
      isHead: (core.i32[word + (SLOT_FLAGS_OFFSET >> 2)] & SLOT_HEAD_REQUEST_FLAG) !== 0,
    };
  }

  /** Writes the head in front of the body, and describes both in the slot. */
  #finish(place: Place, bytes: number, transferred: boolean): void {
    const { address, bodyStart, isHead } = place;
    const { i32 } = this.#context.core;
    const word = address >> 2;
    const start = this.#heads.write(bodyStart, place.template, place.lines, bytes);
    i32[word + (SLOT_RESPONSE_OFFSET >> 2)] = start;
    i32[word + (SLOT_RESPONSE_HEAD_BYTES_OFFSET >> 2)] = bodyStart - start;
    i32[word + (SLOT_RESPONSE_BODY_BYTES_OFFSET >> 2)] = isHead || bytes === WITHOUT_LENGTH ? 0 : bytes;
    if (transferred) i32[word + (SLOT_FLAGS_OFFSET >> 2)] |= SLOT_RESPONSE_TRANSFERRED_FLAG;
  }
}

/** Fields of a stream of Server-Sent Events, however the handler made it. */
function describeEvents(response: SlotResponse): void {
  if (!isEventStream(response.contentType)) return;
  for (const [name, value] of EVENT_STREAM_FIELDS) if (response.field(name) === undefined) response.set(name, value);
}

/** A client of HTTP/1.0 does not know the chunked coding (RFC 9112 section 6.1). */
function isChunked(request: SlotRequest): boolean {
  return !request.isHttp10;
}
