import {
  FIELD_BYTES,
  SLOT_BODY_BYTES_OFFSET,
  SLOT_BODY_STREAM_FLAG,
  SLOT_DATA_OFFSET,
  SLOT_FIELD_COUNT_OFFSET,
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_BYTES_OFFSET,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_METHOD_OFFSET,
  SLOT_NO_START,
  SLOT_QUEUE_DEADLINE_OFFSET,
  SLOT_REQUEST_TRANSFERRED_FLAG,
  SLOT_ROUTE_OFFSET,
  SLOT_SEQUENCE_OFFSET,
  SLOT_STARTED_AT_OFFSET,
  SLOT_SUBMITTED_AT_OFFSET,
  SLOT_TARGET_BYTES_OFFSET,
} from '../../../assembly/layout.js';
import { type Plan, slotAddress } from '../../contract/memory-map.js';
import { METHODS } from '../../contract/messages.js';
import type { CoreMemory } from '../../core/memory.js';
import type { Exchange } from '../exchange.js';
import type { RequestParser } from '../parser/request-parser.js';

const HEAD = METHODS.indexOf('HEAD');

/** Writes request records into slots: field index, head, body. HTTP thread. */
export class RecordWriter {
  readonly #core: CoreMemory;
  readonly #plan: Plan;
  /** Response bytes have to fit behind the request: what is left of the slot must hold a head at the least. */
  readonly #limit: number;

  constructor(core: CoreMemory, plan: Plan) {
    this.#core = core;
    this.#plan = plan;
    this.#limit = (plan.slotStride - SLOT_DATA_OFFSET) >> 1;
  }

  /**
   * Writes the request that the parser has in hand into the exchange's slot, or if it is too large, what belongs to it into
   * the slot and the record into `exchange.record`.
   * @param queueDeadline by the server's clock, 0 for none
   */
  write(exchange: Exchange, request: RequestParser, route: number, now: number, queueDeadline: number): void {
    const core = this.#core;
    const { i32 } = core;
    const address = slotAddress(this.#plan, exchange.slot);
    const word = address >> 2;
    const { headBytes, bodyBytes, fieldCount, method } = request;
    let flags = method === HEAD ? SLOT_HEAD_REQUEST_FLAG : 0;
    if (request.isStreamed) flags |= SLOT_BODY_STREAM_FLAG;
    if (fieldCount * FIELD_BYTES + headBytes + bodyBytes <= this.#limit) {
      const data = address + SLOT_DATA_OFFSET;
      core.wasm.headCopyFields(data);
      copyRecord(core.u8, data + fieldCount * FIELD_BYTES, request, headBytes, bodyBytes);
    } else {
      flags |= SLOT_REQUEST_TRANSFERRED_FLAG;
      exchange.transferred = true;
      exchange.record = ownRecord(request);
    }
    i32[word + (SLOT_ROUTE_OFFSET >> 2)] = route;
    i32[word + (SLOT_METHOD_OFFSET >> 2)] = method;
    i32[word + (SLOT_FLAGS_OFFSET >> 2)] = flags;
    i32[word + (SLOT_TARGET_BYTES_OFFSET >> 2)] = request.targetBytes;
    i32[word + (SLOT_HEAD_BYTES_OFFSET >> 2)] = headBytes;
    i32[word + (SLOT_FIELD_COUNT_OFFSET >> 2)] = fieldCount;
    i32[word + (SLOT_BODY_BYTES_OFFSET >> 2)] = bodyBytes;
    i32[word + (SLOT_SEQUENCE_OFFSET >> 2)] = exchange.sequence;
    i32[word + (SLOT_SUBMITTED_AT_OFFSET >> 2)] = now;
    i32[word + (SLOT_QUEUE_DEADLINE_OFFSET >> 2)] = queueDeadline;
    i32[word + (SLOT_STARTED_AT_OFFSET >> 2)] = SLOT_NO_START;
  }
}

function copyRecord(
  target: Uint8Array,
  at: number,
  request: RequestParser,
  headBytes: number,
  bodyBytes: number,
): void {
  const { buffer, byteOffset } = request.headSource;
  // Not subarray(): Buffer's is slower than a view that V8 makes inline.
  target.set(new Uint8Array(buffer, byteOffset + request.headStart, headBytes), at);
  if (bodyBytes > 0) target.set(request.body(), at + headBytes);
}

/** The same record in a buffer of its own. */
function ownRecord(request: RequestParser): ArrayBuffer {
  const { headBytes, bodyBytes } = request;
  const fields = request.fields();
  const record = new Uint8Array(fields.length + headBytes + bodyBytes);
  record.set(fields);
  copyRecord(record, fields.length, request, headBytes, bodyBytes);
  return record.buffer;
}
