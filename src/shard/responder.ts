import { types } from 'node:util';
import {
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_RESPONSE_BODY_BYTES_OFFSET,
  SLOT_RESPONSE_HEAD_BYTES_OFFSET,
  SLOT_RESPONSE_OFFSET,
  SLOT_RESPONSE_TRANSFERRED_FLAG,
  SLOT_STATUS_OFFSET,
} from '../../assembly/layout.js';
import { LoopShardError } from '../errors.js';
import { type ShardContext, slotAddress, slotData, slotEnd } from './context.js';
import { HeadWriter } from './head.js';
import type { SlotRequest } from './request.js';
import type { SlotResponse } from './response.js';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const JSON_TYPE = 'application/json';
/** UTF-8 needs at most this many bytes for a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;
/** What a slot keeps free of header fields. */
const FIELDS_MARGIN_BYTES = 512;
const NONE = new Uint8Array(0);

/** Turns what a handler returned into a response in the slot. Shard. */
export class Responder {
  readonly #context: ShardContext;
  readonly #heads: HeadWriter;
  /** A record takes half of a slot at the most; so do the header fields of a response. */
  readonly #fieldsLimit: number;

  constructor(context: ShardContext) {
    this.#context = context;
    this.#heads = new HeadWriter(context.core, context.addresses.control);
    this.#fieldsLimit = (context.plan.slotStride >> 1) - FIELDS_MARGIN_BYTES;
  }

  /**
   * Writes the response into the slot; a body that does not fit goes by transfer.
   * @throws LoopShardError RESPONSE_INVALID, RESPONSE_TOO_LARGE, HEADER_INVALID; whatever `toJSON` throws
   */
  respond(slot: number, request: SlotRequest, response: SlotResponse, value: unknown): void {
    const status = response.statusCode || (value === undefined ? 204 : 200);
    if (value === undefined || status === 204 || status === 304) return this.#empty(slot, request, response, status);
    const body = typeof value === 'string' || types.isUint8Array(value) ? value : toJson(value);
    const type = response.contentType ?? (body === value ? (typeof value === 'string' ? TEXT : BYTES) : JSON_TYPE);
    const { plan } = this.#context;
    const address = slotAddress(plan, slot);
    const template = this.#heads.template(status, type);
    const lines = this.#lines(response, type);
    const bodyStart = slotData(address) + request.recordBytes + this.#heads.room(template, lines);
    const room = slotEnd(plan, address) - bodyStart;
    let bytes = this.#fit(body, bodyStart, room);
    const transferred = bytes < 0;
    if (transferred) bytes = this.#transfer(slot, body, this.#isHead(address));
    else this.#checkLimit(bytes);
    const start = this.#heads.write(bodyStart, template, lines, bytes);
    this.#describe(address, status, start, bodyStart - start, this.#isHead(address) ? 0 : bytes, transferred);
  }

  /** No body; 204 and 304 have no length either (RFC 9110 sections 15.3.5 and 15.4.5). */
  #empty(slot: number, request: SlotRequest, response: SlotResponse, status: number): void {
    const address = slotAddress(this.#context.plan, slot);
    const template = this.#heads.template(status, response.contentType);
    const lines = this.#lines(response, response.contentType);
    const end = slotData(address) + request.recordBytes + this.#heads.room(template, lines);
    const start = this.#heads.write(end, template, lines, status === 204 || status === 304 ? -1 : 0);
    this.#describe(address, status, start, end - start, 0, false);
  }

  #lines(response: SlotResponse, type: string | undefined): string {
    const lines = response.lines();
    if (lines.length + (type?.length ?? 0) <= this.#fieldsLimit) return lines;
    throw new LoopShardError(
      'HEADER_INVALID',
      `The header fields of the response have ${lines.length} bytes, and at most ${this.#fieldsLimit} fit; set fewer, or make slotBytes larger.`,
    );
  }

  /** Writes the body if there is room. Returns its bytes, or -1. */
  #fit(body: string | Uint8Array, at: number, room: number): number {
    const { u8, bytes } = this.#context.core;
    if (typeof body !== 'string') {
      if (body.length > room) return -1;
      u8.set(body, at);
      return body.length;
    }
    if (body.length > room) return -1;
    if (body.length * MAX_BYTES_PER_UNIT > room && Buffer.byteLength(body) > room) return -1;
    return bytes.utf8Write(body, at, room);
  }

  /** Sends the body on its own. A copy of the handler's bytes: what is transferred is lost to the sender. */
  #transfer(slot: number, body: string | Uint8Array, isHead: boolean): number {
    const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    this.#checkLimit(bytes);
    const copy = isHead ? NONE : new Uint8Array(bytes);
    if (!isHead && typeof body === 'string') Buffer.from(copy.buffer as ArrayBuffer).utf8Write(body, 0, bytes);
    else if (!isHead) copy.set(body as Uint8Array);
    this.#context.transfers.send(slot, copy.buffer as ArrayBuffer);
    return bytes;
  }

  #checkLimit(bytes: number): void {
    const limit = this.#context.responseLimitBytes;
    if (bytes <= limit) return;
    throw new LoopShardError(
      'RESPONSE_TOO_LARGE',
      `The response has ${bytes} bytes, and responseLimitBytes is ${limit}; send less, or raise the limit.`,
    );
  }

  #isHead(address: number): boolean {
    return (this.#context.core.i32[(address + SLOT_FLAGS_OFFSET) >> 2] & SLOT_HEAD_REQUEST_FLAG) !== 0;
  }

  #describe(address: number, status: number, start: number, head: number, body: number, transferred: boolean): void {
    const { i32 } = this.#context.core;
    const word = address >> 2;
    i32[word + (SLOT_STATUS_OFFSET >> 2)] = status;
    i32[word + (SLOT_RESPONSE_OFFSET >> 2)] = start;
    i32[word + (SLOT_RESPONSE_HEAD_BYTES_OFFSET >> 2)] = head;
    i32[word + (SLOT_RESPONSE_BODY_BYTES_OFFSET >> 2)] = body;
    if (transferred) i32[word + (SLOT_FLAGS_OFFSET >> 2)] |= SLOT_RESPONSE_TRANSFERRED_FLAG;
  }
}

function toJson(value: unknown): string {
  if (isStream(value)) {
    throw new LoopShardError(
      'RESPONSE_INVALID',
      'The handler returned a stream, which this version cannot send; return bytes, a string or a JSON value.',
    );
  }
  const json = JSON.stringify(value);
  if (json !== undefined) return json;
  throw new LoopShardError(
    'RESPONSE_INVALID',
    `The handler returned a ${typeof value}, which JSON cannot carry; return bytes, a string or a JSON value.`,
  );
}

function isStream(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
