import { types } from 'node:util';
import { NO_EXTENT, SLOT_ABANDONED_FLAG, SLOT_HEAD_REQUEST_FLAG } from '../../../assembly/layout.js';
import { EVENT_STREAM_FIELDS, isEventStream } from '../../app/event-stream.js';
import type { ResponseState } from '../../app/response-state.js';
import type { ResponseSchemas } from '../../app/schemas.js';
import type { SlotView } from '../../contract/slot-view.js';
import type { CompiledWriter } from '../../json/compile.js';
import { JsonWriter } from '../../json/direct.js';
import type { Encoding } from '../../options/compression.js';
import type { ShardContext } from '../context.js';
import type { SlotRequest } from '../request/request.js';
import { isStream } from '../streams/stream-source.js';
import { CompressedStream, compress } from './compressor.js';
import { HeadWriter, type Template } from './head.js';
import { inPieces } from './long-body.js';
import { type Place, Placement } from './placement.js';
import { AS_IT_IS, NOT_MODIFIED, Representations } from './representations.js';
import {
  bodiless,
  bytesOf,
  copyBody,
  fieldsTooLarge,
  finishWritten,
  fits,
  INCOMPLETE,
  isBodiless,
  isText,
  isUnframed,
  streamWithSchema,
  stringify,
  tagWithoutBody,
  toBytes,
  tooLarge,
  wrongLength,
} from './results.js';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const JSON_TYPE = 'application/json';
/** A text type without parameters. */
const TEXT_TYPE = /^text\/[\w.+-]+$/i;
/** Header fields of a response, at the most. */
const MAX_FIELDS_BYTES = 64 * 1024;
/** In the place of a body's length: there is no content-length. */
const WITHOUT_LENGTH = -1;
const CHUNKED_LINE = 'transfer-encoding: chunked\r\n';
/** How much larger than the latest one a response by a schema may be, so that it need not be copied. */
const EXPECTED_MARGIN = 1.25;

/** Bodies up to this size are compressed at once, larger ones by zlib's threads, as streams (docs/internals.md). */
const SYNC_COMPRESS_BYTES = 64 * 1024;
const NOTHING_MORE: AsyncIterator<unknown> = { next: async () => ({ done: true, value: undefined }) };

/** The response is in the slot, or in the extent that the slot names. */
export const WRITTEN = Symbol('written');
/** The response waits for an extent: `retry` goes on. */
export const NO_ROOM = Symbol('no room');

/** The response is sent in pieces, as its source yields them. */
export interface Streamed {
  source: AsyncIterable<unknown>;
  /** Bytes of the body, if that is known. */
  length: number | undefined;
}

export type Outcome = typeof WRITTEN | typeof NO_ROOM | Streamed;

/** A request that is being answered. */
export interface Reply {
  readonly slot: number;
  readonly view: SlotView;
  /** Of the route. */
  readonly number: number;
  readonly request: SlotRequest;
  readonly response: ResponseState;
  /** Of the route. */
  readonly schemas: ResponseSchemas | undefined;
  /** How many of the handler and the error handlers around it have failed. */
  readonly failures: number;
  /** Its connection is to be closed, and nothing is sent. */
  readonly isDestroyed: boolean;
  /** What `res.writer()` writes to. */
  place: Place | undefined;
  /** What waits for an extent. */
  unsent: Unsent | undefined;
}

interface Unsent {
  status: number;
  type: string | undefined;
  body: string | Uint8Array;
  /** Of the body. */
  bytes: number;
  contentLength: number | undefined;
}

/** A response head before it is written. */
interface Head {
  template: Template;
  lines: string;
  /** Bytes from its first byte to the first byte of the body, at the most. */
  room: number;
}

export interface StreamHead {
  bytes: Uint8Array;
  encoding: Encoding | undefined;
  /** Bytes of the body, if the head says so. */
  length: number | undefined;
}

/** Turns what a handler returned into a response in shared memory. Shard. */
export class Responder {
  readonly #context: ShardContext;
  readonly #heads: HeadWriter;
  readonly #placement: Placement;
  readonly #representations = new Representations();
  /** What names the request in the response too. */
  readonly #idField: string | undefined;
  /** By route: bytes of the latest body that was written by its schema and did not fit its slot. */
  readonly #expected = new Map<number, number>();

  constructor(context: ShardContext) {
    this.#context = context;
    this.#heads = new HeadWriter(context.core, context.addresses.templates, context.keepAliveLines);
    this.#placement = new Placement(context);
    this.#idField = context.requestId;
  }

  /**
   * Writes the response, if it is not a stream and there is room for it.
   * @throws LoopShardError RESPONSE_INVALID, RESPONSE_TOO_LARGE, HEADER_INVALID, VALUE_MISMATCH; whatever `toJSON` throws
   */
  respond(reply: Reply, value: unknown): Outcome {
    const { response } = reply;
    response.hasValue = response.jsonWriter === undefined;
    if (response.compress !== undefined || response.tag !== undefined) return this.#respondDescribed(reply, value);
    if (response.jsonWriter !== undefined) return this.#respondWritten(reply, value);
    const status = response.statusCode || (value === undefined && response.contentLength === undefined ? 204 : 200);
    if (value === undefined || isBodiless(status)) return this.#empty(reply, status);
    if (types.isUint8Array(value)) return this.#send(reply, status, BYTES, value);
    const writer = this.#writer(reply, status);
    if (isText(value, writer)) {
      nameCharset(response);
      return this.#send(reply, status, TEXT, value);
    }
    if (isStream(value)) return this.#openBody(reply, value);
    if (writer === undefined) return this.#send(reply, status, JSON_TYPE, stringify(value));
    return this.#writeBySchema(reply, status, writer, value);
  }

  /**
   * Answers with JSON that has been formed, whatever the handler has begun: as it is, without an entity tag, of any length.
   * It never fails.
   */
  respondPlainly(reply: Reply, json: string): typeof WRITTEN | typeof NO_ROOM {
    const { response } = reply;
    const { statusCode } = response;
    const send = () => this.#send(reply, statusCode, JSON_TYPE, json, undefined, Number.POSITIVE_INFINITY);
    let outcome: Outcome;
    try {
      outcome = send();
    } catch {
      // The fields of the error, or those that were kept, are too large.
      response.reset(statusCode);
      outcome = send();
    }
    return outcome as typeof WRITTEN | typeof NO_ROOM;
  }

  /** Gives the slot back without a response. */
  respondNothing(reply: Reply): typeof WRITTEN {
    this.discard(reply);
    reply.view.mark(SLOT_ABANDONED_FLAG);
    return WRITTEN;
  }

  /** Goes on with a response that waits for an extent. */
  retry(reply: Reply): Outcome {
    const { status, type, body, contentLength } = reply.unsent!;
    return this.#send(reply, status, type, body, contentLength, Number.POSITIVE_INFINITY);
  }

  /** Gives up what was begun of a response. */
  discard(reply: Reply): void {
    if (reply.place !== undefined) this.#placement.release(reply.place);
    reply.place = undefined;
    reply.unsent = undefined;
  }

  // ── with an entity tag, compressed, or not at all because the client has it ─────────────────────────────────────

  #respondDescribed(reply: Reply, value: unknown): Outcome {
    const { request, response } = reply;
    const status = response.statusCode || 200;
    const isWritten = response.jsonWriter !== undefined;
    if ((value === undefined && !isWritten) || isBodiless(status)) {
      return this.#emptyDescribed(reply, value === undefined ? response.statusCode || 204 : status);
    }
    if (!isWritten && isStream(value)) return this.#openBody(reply, value);
    const writer = isWritten || types.isUint8Array(value) ? undefined : this.#writer(reply, status);
    const body = isWritten ? finishWritten(response, value) : toBytes(value, writer);
    if (!this.#isHead(reply)) checkLength(response, body);
    // From here on it would be that of other bytes, if they are compressed.
    response.contentLength = undefined;
    if (isText(value, writer)) nameCharset(response);
    response.contentType ??= types.isUint8Array(value) ? BYTES : isText(value, writer) ? TEXT : JSON_TYPE;
    const how = this.#representations.describe(request, response, body);
    if (how === NOT_MODIFIED) return this.#notModified(reply);
    return this.#sendDescribed(reply, body, how === AS_IT_IS ? undefined : how);
  }

  #sendDescribed(reply: Reply, body: Uint8Array, encoding: Encoding | undefined): Outcome {
    this.#checkLimit(body.length);
    const status = reply.response.statusCode || 200;
    if (encoding === undefined) return this.#send(reply, status, undefined, body);
    // How long it would be compressed is not known without doing it.
    if (this.#isHead(reply)) return this.#send(reply, status, undefined, body, WITHOUT_LENGTH);
    if (body.length <= SYNC_COMPRESS_BYTES) return this.#send(reply, status, undefined, compress(encoding, body));
    // A copy: the handler may change its own.
    const source = new CompressedStream(encoding, Uint8Array.from(body), NOTHING_MORE);
    this.discard(reply);
    return { source, length: undefined };
  }

  #emptyDescribed(reply: Reply, status: number): Outcome {
    const { response } = reply;
    if (response.fresh) return this.#notModified(reply);
    if (response.tag?.value !== undefined) response.set('etag', response.tag.value);
    return this.#empty(reply, status);
  }

  #notModified(reply: Reply): Outcome {
    const { response } = reply;
    if (response.tag?.value !== undefined && response.field('etag') === undefined) {
      response.set('etag', response.tag.value);
    }
    response.leaveOutBody();
    return this.#empty(reply, 304);
  }

  // ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers HEAD, which needs no stream; any other request gets it. */
  #openBody(reply: Reply, source: AsyncIterable<unknown>): Outcome {
    const { request, response } = reply;
    if (this.#writer(reply, response.statusCode || 200) !== undefined) throw streamWithSchema();
    if (!response.isDescribed && response.tag !== undefined && response.tag.value === undefined) throw tagWithoutBody();
    if (response.fresh) return this.#notModified(reply);
    if (!this.#isHead(reply)) return { source, length: undefined };
    describeEvents(response);
    this.#representations.describe(request, response, undefined);
    if (!request.isHttp10 && response.contentLength === undefined) response.isChunked = true;
    return this.#send(reply, response.statusCode || 200, undefined, '', response.contentLength ?? WITHOUT_LENGTH);
  }

  /**
   * The head of a response that is sent in pieces.
   * @param standardType the content type, unless the handler has set one
   * @param length bytes of the body, if that is known
   * @returns its bytes, and how the body is to be compressed; WRITTEN or NO_ROOM if the response has no body after all
   * @throws LoopShardError HEADER_INVALID
   */
  streamHead(
    reply: Reply,
    standardType: string,
    hasBody: boolean,
    length: number | undefined,
  ): StreamHead | typeof WRITTEN | typeof NO_ROOM {
    if (reply.isDestroyed) return this.respondNothing(reply);
    const { request, response } = reply;
    const status = response.statusCode || 200;
    if (!response.isDescribed && response.tag !== undefined && response.tag.value === undefined) throw tagWithoutBody();
    if (isBodiless(status) || response.fresh) {
      return this.#emptyDescribed(reply, status) as typeof WRITTEN | typeof NO_ROOM;
    }
    response.contentType ??= standardType;
    describeEvents(response);
    let encoding: Encoding | undefined;
    // Nothing at all would be longer when it is compressed.
    if (!response.isDescribed && hasBody && length === undefined) {
      const how = this.#representations.describe(request, response, undefined);
      if (how !== AS_IT_IS && how !== NOT_MODIFIED) encoding = how;
    }
    const said = encoding === undefined ? (length ?? response.contentLength) : undefined;
    response.isChunked = said === undefined && !request.isHttp10;
    const { template, lines } = this.#head(reply, status, undefined);
    response.isSealed = true;
    return { bytes: this.#heads.bytes(template, lines, said ?? WITHOUT_LENGTH), encoding, length: said };
  }

  // ── bodies that are written as they are formed ──────────────────────────────────────────────────────────────────

  /** A JSON writer behind the room for the head. */
  openWriter(reply: Reply): JsonWriter {
    const { response } = reply;
    if (isBodiless(response.statusCode)) throw bodiless(response.statusCode);
    const head = this.#head(reply, response.statusCode || 200, JSON_TYPE);
    const place = this.#placement.inSlot(reply.view, head.room);
    if (place.limit < place.bodyStart) place.limit = place.bodyStart;
    reply.place = place;
    return new JsonWriter({
      core: this.#context.core,
      position: place.bodyStart,
      limit: place.limit,
      grow: (bytes) => this.#grow(reply, head, bytes),
    });
  }

  /** A larger place for a JSON writer, or nothing if it shall go on in private memory. */
  #grow(reply: Reply, head: Head, bytes: number): { position: number; limit: number } | undefined {
    this.#checkLimit(bytes);
    const most = this.#placement.mostBytes(head.room);
    if (bytes > most || reply.place === undefined) return undefined;
    const { bodyStart, limit } = reply.place;
    const larger = this.#placement.inExtent(head.room, Math.min(most, Math.max(bytes, 2 * (limit - bodyStart))));
    if (larger === undefined) return undefined;
    this.#context.core.u8.copyWithin(larger.bodyStart, bodyStart, limit);
    this.#placement.release(reply.place);
    reply.place = larger;
    return { position: larger.bodyStart, limit: larger.limit };
  }

  /** What the handler wrote with `res.writer()`. The head takes the room that was left for it. */
  #respondWritten(reply: Reply, value: unknown): Outcome {
    const { response } = reply;
    const body = finishWritten(response, value);
    const status = response.statusCode || 200;
    if (!response.jsonWriter!.inPlace) {
      this.discard(reply);
      return this.#send(reply, status, JSON_TYPE, body);
    }
    this.#checkLimit(body.length);
    return this.#finish(reply, this.#head(reply, status, JSON_TYPE), reply.place!, body.length);
  }

  /** The body goes right to where it is sent from, if it is no larger than those before it. The value is read once. */
  #writeBySchema(reply: Reply, status: number, writer: CompiledWriter, value: unknown): Outcome {
    const head = this.#head(reply, status, JSON_TYPE);
    const place = this.#placeBySchema(reply, head);
    const { bodyStart, limit, extent } = place;
    if (limit <= bodyStart) return this.#send(reply, status, JSON_TYPE, writer.toBytes(value));
    if (extent !== NO_EXTENT) reply.place = place;
    const end = writer.writeOrSpill(this.#context.core, bodyStart, limit, value);
    const bytes = typeof end === 'number' ? end - bodyStart : end.length;
    if (extent !== NO_EXTENT || typeof end !== 'number') this.#expected.set(reply.number, bytes);
    if (typeof end === 'number') return this.#finish(reply, head, place, this.#checkLimit(bytes));
    this.discard(reply);
    return this.#send(reply, status, JSON_TYPE, end);
  }

  /** In the slot, unless the latest response of the route was too large for it. */
  #placeBySchema(reply: Reply, head: Head): Place {
    const inSlot = this.#placement.inSlot(reply.view, head.room);
    const expected = this.#expected.get(reply.number) ?? 0;
    const most = this.#placement.mostBytes(head.room);
    if (expected <= inSlot.limit - inSlot.bodyStart || expected > most) return inSlot;
    const wanted = Math.min(most, Math.ceil(expected * EXPECTED_MARGIN));
    return this.#placement.inExtent(head.room, wanted) ?? inSlot;
  }

  // ── bodies that are there ───────────────────────────────────────────────────────────────────────────────────────

  /** No body; 204 and 304 have no length either (RFC 9110 sections 15.3.5 and 15.4.5). */
  #empty(reply: Reply, status: number): Outcome {
    // What a GET would have is said to a HEAD, without it being made.
    const length = this.#isHead(reply) ? (reply.response.contentLength ?? 0) : 0;
    return this.#send(reply, status, undefined, '', isUnframed(status) ? WITHOUT_LENGTH : length);
  }

  /**
   * Writes head and body into the slot or into an extent; what is larger is sent in pieces.
   * @param standardType the content type, unless the handler has set one
   * @param contentLength the length that the head says, if it is not that of the body
   * @param limit of the body, in bytes
   * @throws LoopShardError RESPONSE_TOO_LARGE
   */
  #send(
    reply: Reply,
    status: number,
    standardType: string | undefined,
    body: string | Uint8Array,
    contentLength?: number,
    limit = this.#context.maxResponseBytes,
  ): Outcome {
    const head = this.#head(reply, status, standardType);
    const isHead = this.#isHead(reply);
    if (!isHead) checkLength(reply.response, body);
    const inSlot = this.#placement.inSlot(reply.view, head.room);
    const room = inSlot.limit - inSlot.bodyStart;
    if (isHead ? room >= 0 : fits(body, room)) {
      const bytes = isHead ? bytesOf(body) : copyBody(this.#context.core, body, inSlot);
      if (bytes > limit) throw tooLarge(bytes, limit);
      return this.#finish(reply, head, inSlot, contentLength ?? bytes);
    }
    // Text has at least as many bytes as units, and as a rule no more: it is counted only if it does not fit.
    if (body.length > limit) throw tooLarge(bytesOf(body), limit);
    const said = contentLength ?? (isHead ? bytesOf(body) : undefined);
    const bytes = this.#sendFromExtent(reply, head, isHead ? '' : body, isHead ? 0 : body.length, limit, said);
    if (bytes === undefined) return WRITTEN;
    // The handler may change its own bytes.
    const kept = typeof body === 'string' ? body : Uint8Array.prototype.slice.call(body);
    this.discard(reply);
    if (bytes > this.#placement.mostBytes(head.room)) {
      reply.response.contentType ??= standardType;
      return { source: inPieces(kept), length: bytes };
    }
    reply.unsent = { status, type: standardType, body: kept, bytes, contentLength };
    return NO_ROOM;
  }

  /**
   * Writes head and body into an extent.
   * @param wanted bytes of the body, at least
   * @returns the bytes that it has if there is no extent for them
   */
  #sendFromExtent(
    reply: Reply,
    head: Head,
    body: string | Uint8Array,
    wanted: number,
    limit: number,
    contentLength: number | undefined,
  ): number | undefined {
    const place = this.#placement.inExtent(head.room, wanted);
    if (place === undefined) {
      const bytes = bytesOf(body);
      if (bytes > limit) throw tooLarge(bytes, limit);
      return bytes;
    }
    const bytes = copyBody(this.#context.core, body, place);
    if (bytes <= limit && bytes !== INCOMPLETE) {
      this.#finish(reply, head, place, contentLength ?? bytes);
      return undefined;
    }
    this.#placement.release(place);
    const counted = bytesOf(body);
    if (counted > limit) throw tooLarge(counted, limit);
    return this.#sendFromExtent(reply, head, body, counted, limit, contentLength);
  }

  #head(reply: Reply, status: number, standardType: string | undefined): Head {
    const { request, response } = reply;
    const type = response.contentType ?? standardType;
    let lines = response.lines();
    if (response.isChunked) lines += CHUNKED_LINE;
    if (this.#idField !== undefined && response.field(this.#idField) === undefined) {
      lines += `${this.#idField}: ${request.id}\r\n`;
    }
    const bytes = lines.length + (type?.length ?? 0);
    if (bytes > MAX_FIELDS_BYTES) throw fieldsTooLarge(bytes, MAX_FIELDS_BYTES);
    const template = this.#heads.template(status, type);
    return { template, lines, room: this.#heads.room(template, lines) };
  }

  /** Writes the head in front of the body, and describes both in the slot. */
  #finish(reply: Reply, { template, lines }: Head, place: Place, bytes: number): typeof WRITTEN {
    const { bodyStart, extent } = place;
    const start = this.#heads.write(bodyStart, template, lines, bytes);
    const isSent = bytes !== WITHOUT_LENGTH && !this.#isHead(reply);
    reply.view.writeResponse(start, bodyStart - start, isSent ? bytes : 0, extent);
    // It is the slot's from now on, and what else was begun is nobody's.
    if (reply.place !== undefined && reply.place !== place) this.#placement.release(reply.place);
    reply.place = undefined;
    reply.unsent = undefined;
    return WRITTEN;
  }

  /** Of the route's schema for what is sent with this status. */
  #writer({ schemas, response, failures }: Reply, status: number): CompiledWriter | undefined {
    return response.isPlain ? undefined : schemas?.writer(status, failures > 0);
  }

  #isHead({ view }: Reply): boolean {
    return view.has(SLOT_HEAD_REQUEST_FLAG);
  }

  /** @throws LoopShardError RESPONSE_TOO_LARGE */
  #checkLimit(bytes: number): number {
    const { maxResponseBytes } = this.#context;
    if (bytes > maxResponseBytes) throw tooLarge(bytes, maxResponseBytes);
    return bytes;
  }
}

/** @throws LoopShardError RESPONSE_INVALID: the handler has said another number of bytes than the body has */
function checkLength({ contentLength }: ResponseState, body: string | Uint8Array): void {
  if (contentLength !== undefined && bytesOf(body) !== contentLength) throw wrongLength(bytesOf(body), contentLength);
}

/** Fields of a stream of Server-Sent Events, however the handler made it. */
function describeEvents(response: ResponseState): void {
  if (!isEventStream(response.contentType)) return;
  for (const [name, value] of EVENT_STREAM_FIELDS) if (response.field(name) === undefined) response.set(name, value);
}

/** Text is sent as UTF-8, which a client need not guess (RFC 6657). */
function nameCharset(response: ResponseState): void {
  if (response.contentType !== undefined && TEXT_TYPE.test(response.contentType)) {
    response.contentType += '; charset=utf-8';
  }
}
