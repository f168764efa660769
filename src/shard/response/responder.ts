import { types } from 'node:util';
import { NO_EXTENT, SLOT_ABANDONED_FLAG, SLOT_CLOSES_FLAG, SLOT_HEAD_REQUEST_FLAG } from '../../../assembly/layout.js';
import { EVENT_STREAM_FIELDS, isEventStream } from '../../app/event-stream.js';
import type { RawReply } from '../../app/raw.js';
import type { ResponseState } from '../../app/response-state.js';
import type { ResponseSchemas } from '../../app/schemas.js';
import { clientOf } from '../../contract/client.js';
import type { SlotView } from '../../contract/slot-view.js';
import { elapsedUs } from '../../core/clock.js';
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
/** Maximum size of the headers of a response. */
const MAX_FIELDS_BYTES = 64 * 1024;
/** Passed instead of a length if the head has no content-length. */
const WITHOUT_LENGTH = -1;
const CHUNKED_LINE = 'transfer-encoding: chunked\r\n';
/** Extents for responses with a schema are larger than the latest response by this factor, so that a slightly larger one is not copied. */
const EXPECTED_MARGIN = 1.25;

/** Bodies up to this size are compressed synchronously, larger ones by zlib's threads, as streams (docs/internals.md). */
const SYNC_COMPRESS_BYTES = 64 * 1024;
const US_PER_MS = 1_000;
const NOTHING_MORE: AsyncIterator<unknown> = { next: async () => ({ done: true, value: undefined }) };

/** The response was written to the slot, or to the extent named in the slot. */
export const WRITTEN = Symbol('written');
/** The response waits for an extent; call `retry` later. */
export const NO_ROOM = Symbol('no room');

/** The response is streamed from its source. */
export interface Streamed {
  source: AsyncIterable<unknown>;
  /** Length of the body in bytes, if known. */
  length: number | undefined;
}

export type Outcome = typeof WRITTEN | typeof NO_ROOM | Streamed;

/** A request and its response in progress. */
export interface Reply {
  readonly slot: number;
  readonly view: SlotView;
  /** Number of the route. */
  readonly number: number;
  /** When its handler was called, by the server's clock. */
  readonly calledAt: number;
  readonly request: SlotRequest;
  readonly response: ResponseState;
  /** Response schemas of the route. */
  readonly schemas: ResponseSchemas | undefined;
  /** How many of the handler and its error handlers have failed. */
  readonly failures: number;
  /** The handler closed the connection: nothing is sent. */
  readonly isDestroyed: boolean;
  /** Where `res.writer()` writes. */
  place: Place | undefined;
  /** The response that waits for an extent. */
  unsent: Unsent | undefined;
}

interface Unsent {
  status: number;
  type: string | undefined;
  body: string | Uint8Array;
  /** Length of the body. */
  bytes: number;
  contentLength: number | undefined;
}

/** Parts of a response head. */
interface Head {
  template: Template;
  lines: string;
  /** Maximum size in bytes. */
  room: number;
}

export interface StreamHead {
  bytes: Uint8Array;
  encoding: Encoding | undefined;
  /** The content-length in the head, if any. */
  length: number | undefined;
}

/** Turns what a handler returned into a response in shared memory. Shard only. */
export class Responder {
  readonly #context: ShardContext;
  readonly #heads: HeadWriter;
  readonly #placement: Placement;
  readonly #representations = new Representations();
  /** Header for the request ID, if responses have one. */
  readonly #idField: string | undefined;
  /** By route: size of the latest body that was written by its schema and did not fit its slot. */
  readonly #expected = new Map<number, number>();

  constructor(context: ShardContext) {
    this.#context = context;
    this.#heads = new HeadWriter(context.core, context.addresses.templates, context.keepAliveLines);
    this.#placement = new Placement(context);
    this.#idField = context.requestId;
  }

  /**
   * Writes the response, unless it is a stream or waits for an extent.
   * @throws LoopShardError RESPONSE_INVALID, RESPONSE_TOO_LARGE, HEADER_INVALID, VALUE_MISMATCH; whatever `toJSON` throws
   */
  respond(reply: Reply, value: unknown): Outcome {
    const { response } = reply;
    response.hasValue = response.jsonWriter === undefined;
    if (response.compress !== undefined || response.tag !== undefined) return this.#respondDescribed(reply, value);
    if (response.jsonWriter !== undefined) return this.#respondWritten(reply, value);
    const status = response.statusCode || (value === undefined && response.contentLength === undefined ? 204 : 200);
    if (value === undefined || isBodiless(status)) return this.#empty(reply, status);
    if (types.isUint8Array(value)) return this.#send(reply, status, defaultType(response, BYTES), value);
    const writer = this.#writer(reply, status);
    if (isText(value, writer)) {
      nameCharset(response);
      return this.#send(reply, status, defaultType(response, TEXT), value);
    }
    if (isStream(value)) return this.#openBody(reply, value);
    if (writer === undefined) return this.#send(reply, status, JSON_TYPE, stringify(value));
    return this.#writeBySchema(reply, status, writer, value);
  }

  /**
   * Sends a body unchanged, by default JSON, without an entity tag and without a size limit, in place of whatever the handler has begun.
   * Never throws.
   */
  respondPlainly(reply: Reply, text: string, type = JSON_TYPE): typeof WRITTEN | typeof NO_ROOM {
    const { response } = reply;
    const { statusCode } = response;
    const send = () => this.#send(reply, statusCode, type, text, undefined, Number.POSITIVE_INFINITY);
    let outcome: Outcome;
    try {
      outcome = send();
    } catch {
      // The headers of the error, or those kept from the handler, are too large.
      response.reset(statusCode);
      outcome = send();
    }
    return outcome as typeof WRITTEN | typeof NO_ROOM;
  }

  /**
   * Writes a response that the app has formed completely.
   * @returns `false` if there is no room for it: it has to be streamed
   */
  respondRaw(reply: Reply, raw: RawReply): boolean {
    const { view } = reply;
    const lines = this.#addedLines(reply);
    const place = this.#placeRaw(view, raw, lines.length);
    if (place === undefined) return false;
    if (lines !== '') raw.insertLines(lines);
    const { bodyStart, extent } = place;
    const end = raw.writeTo(this.#context.core.bytes, bodyStart);
    // The HTTP thread looks for the end of the head if it needs it.
    view.writeResponse(bodyStart, 0, end - bodyStart, extent);
    if (raw.closes) view.mark(SLOT_CLOSES_FLAG);
    return true;
  }

  #placeRaw(view: SlotView, raw: RawReply, added: number): Place | undefined {
    const inSlot = this.#placement.inSlot(view, 0);
    const room = inSlot.limit - inSlot.bodyStart;
    if (raw.mostBytes + added <= room) return inSlot;
    const bytes = raw.byteLength + added;
    if (bytes <= room) return inSlot;
    return bytes <= this.#placement.mostBytes(0) ? this.#placement.inExtent(0, bytes) : undefined;
  }

  /** Adds the headers that the server and middleware have set to the head that the app has formed. Before anything is taken from it. */
  describeRaw(reply: Reply, raw: RawReply): void {
    const lines = this.#addedLines(reply);
    if (lines !== '') raw.insertLines(lines);
  }

  /** Lines of the headers that handlers have set, of the transfer coding, and of the request id. */
  #addedLines(reply: Reply): string {
    const { request, response } = reply;
    if (this.#context.isTimed !== undefined) this.#addTiming(reply, this.#context.isTimed);
    let lines = response.lines();
    if (response.isChunked) lines += CHUNKED_LINE;
    if (this.#idField === undefined || response.field(this.#idField) !== undefined) return lines;
    return `${lines}${this.#idField}: ${request.id}\r\n`;
  }

  /** Sets the value of `server-timing`, once: room for it may already have been left. */
  #addTiming({ request, response, view, calledAt }: Reply, isTimed: NonNullable<ShardContext['isTimed']>): void {
    if (response.timing !== undefined) return;
    const { ips } = clientOf(request.peer, request.trusted, (name) => request.header(name));
    if (!isTimed(ips[0])) return;
    const now = this.#context.clock.nowUs();
    const handler = now - calledAt;
    // The clocks of threads differ by a microsecond or two.
    const queue = Math.max(0, elapsedUs(calledAt, view.submittedAt));
    const total = Math.max(queue + handler, elapsedUs(now, view.arrivedAt));
    response.timing = `queue;dur=${queue / US_PER_MS}, handler;dur=${handler / US_PER_MS}, total;dur=${total / US_PER_MS}`;
  }

  /** Completes the slot without a response. */
  respondNothing(reply: Reply): typeof WRITTEN {
    this.discard(reply);
    reply.view.mark(SLOT_ABANDONED_FLAG);
    return WRITTEN;
  }

  /** Tries again to send a response that waits for an extent. */
  retry(reply: Reply): Outcome {
    const { status, type, body, contentLength } = reply.unsent!;
    return this.#send(reply, status, type, body, contentLength, Number.POSITIVE_INFINITY);
  }

  /** Discards the response in progress. */
  discard(reply: Reply): void {
    if (reply.place !== undefined) this.#placement.release(reply.place);
    reply.place = undefined;
    reply.unsent = undefined;
  }

  // ── entity tags, compression and 304 ────────────────────────────────────────────────────────────────────────────

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
    // Compression changes the length.
    response.contentLength = undefined;
    if (isText(value, writer)) nameCharset(response);
    const standardType = types.isUint8Array(value) ? BYTES : isText(value, writer) ? TEXT : JSON_TYPE;
    response.contentType ??= defaultType(response, standardType);
    const how = this.#representations.describe(request, response, body);
    if (how === NOT_MODIFIED) return this.#notModified(reply);
    return this.#sendDescribed(reply, body, how === AS_IT_IS ? undefined : how);
  }

  #sendDescribed(reply: Reply, body: Uint8Array, encoding: Encoding | undefined): Outcome {
    this.#checkLimit(body.length);
    const status = reply.response.statusCode || 200;
    if (encoding === undefined) return this.#send(reply, status, undefined, body);
    // The compressed length is only known after compression.
    if (this.#isHead(reply)) return this.#send(reply, status, undefined, body, WITHOUT_LENGTH);
    if (body.length <= SYNC_COMPRESS_BYTES) return this.#send(reply, status, undefined, compress(encoding, body));
    // Copied, because the handler may change its bytes.
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

  /** Opens a stream, or responds to HEAD without reading it. */
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
   * Builds the head of a streamed response.
   * @param standardType content type to use if the handler has set none
   * @param length length of the body in bytes, if known
   * @returns the head and the content coding; WRITTEN or NO_ROOM if the response has no body after all
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
    response.contentType ??= defaultType(response, standardType);
    describeEvents(response);
    let encoding: Encoding | undefined;
    // An empty body would grow if it were compressed.
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

  // ── bodies that are written in place ────────────────────────────────────────────────────────────────────────────

  /** Opens a JSON writer that leaves room for the head. */
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
      opaque: 'reject',
      grow: (bytes) => this.#grow(reply, head, bytes),
    });
  }

  /** Moves a JSON writer to a larger place. Returns `undefined` if it must continue in private memory. */
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

  /** Sends what the handler wrote with `res.writer()`. The head goes into the room that was left for it. */
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

  /** Writes the body directly to where it is sent from, if it is not larger than earlier ones. Reads the value only once. */
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

  /** Chooses the slot, unless the latest response of the route was too large for it. */
  #placeBySchema(reply: Reply, head: Head): Place {
    const inSlot = this.#placement.inSlot(reply.view, head.room);
    const expected = this.#expected.get(reply.number) ?? 0;
    const most = this.#placement.mostBytes(head.room);
    if (expected <= inSlot.limit - inSlot.bodyStart || expected > most) return inSlot;
    const wanted = Math.min(most, Math.ceil(expected * EXPECTED_MARGIN));
    return this.#placement.inExtent(head.room, wanted) ?? inSlot;
  }

  // ── complete bodies ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends a response without a body; 204 and 304 also have no content-length (RFC 9110 sections 15.3.5 and 15.4.5). */
  #empty(reply: Reply, status: number): Outcome {
    // A HEAD may declare the length that a GET would have,
    // and a `Response` without a body tells nothing about the length.
    const { contentLength, isPlain } = reply.response;
    const length = this.#isHead(reply) ? (contentLength ?? (isPlain ? WITHOUT_LENGTH : 0)) : 0;
    return this.#send(reply, status, undefined, '', isUnframed(status) ? WITHOUT_LENGTH : length);
  }

  /**
   * Writes head and body into the slot or into an extent. Larger bodies are streamed.
   * @param standardType content type to use if the handler has set none
   * @param contentLength content-length, if it differs from the length of the body
   * @param limit maximum length of the body in bytes
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
    // Text has at least as many bytes as UTF-16 units, usually exactly as many, so its bytes are counted only if it does not fit.
    if (body.length > limit) throw tooLarge(bytesOf(body), limit);
    const said = contentLength ?? (isHead ? bytesOf(body) : undefined);
    const bytes = this.#sendFromExtent(reply, head, isHead ? '' : body, isHead ? 0 : body.length, limit, said);
    if (bytes === undefined) return WRITTEN;
    // Copied, because the handler may change its bytes.
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
   * @param wanted minimum length of the body in bytes
   * @returns the length of the body if no extent is free for it, otherwise `undefined`
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
    const { response } = reply;
    const type = response.contentType ?? standardType;
    const lines = this.#addedLines(reply);
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
    // The slot owns this place from now on. Release any other one.
    if (reply.place !== undefined && reply.place !== place) this.#placement.release(reply.place);
    reply.place = undefined;
    reply.unsent = undefined;
    return WRITTEN;
  }

  /** Returns the writer of the route's schema for this status. */
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

/** @throws LoopShardError RESPONSE_INVALID if the handler has set a wrong content-length */
function checkLength({ contentLength }: ResponseState, body: string | Uint8Array): void {
  if (contentLength !== undefined && bytesOf(body) !== contentLength) throw wrongLength(bytesOf(body), contentLength);
}

/** Sets the headers of server-sent events, whether or not the handler used `eventStream()`. */
function describeEvents(response: ResponseState): void {
  if (!isEventStream(response.contentType)) return;
  for (const [name, value] of EVENT_STREAM_FIELDS) if (response.field(name) === undefined) response.set(name, value);
}

/** The content type of a value that does not describe itself. */
function defaultType({ isPlain }: ResponseState, standardType: string): string | undefined {
  return isPlain ? undefined : standardType;
}

/** Adds the charset to a text type, so that clients need not guess it (RFC 6657). */
function nameCharset(response: ResponseState): void {
  if (!response.isPlain && response.contentType !== undefined && TEXT_TYPE.test(response.contentType)) {
    response.contentType += '; charset=utf-8';
  }
}
