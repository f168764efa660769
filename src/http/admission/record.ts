import {
  FIELD_BYTES,
  NO_EXTENT,
  SLOT_BODY_STREAM_FLAG,
  SLOT_DATA_OFFSET,
  SLOT_HEAD_REQUEST_FLAG,
  SLOT_LAST_REQUEST_FLAG,
  SLOT_UPGRADE_FLAG,
} from '../../../assembly/layout.js';
import type { HttpSide } from '../../contract/http-side.js';
import type { MemoryMap } from '../../contract/memory-map.js';
import type { Clock } from '../../core/clock.js';
import type { CoreMemory } from '../../core/memory.js';
import { METHODS } from '../../options/methods.js';
import type { Exchange } from '../exchange.js';
import type { RecordRoom } from '../parser/large-record.js';
import type { RequestInHand } from '../parser/request-in-hand.js';

const HEAD = METHODS.indexOf('HEAD');

/** Writes request records (field index, head and body) into slots and extents. HTTP thread. */
export class RecordWriter implements RecordRoom {
  readonly #core: CoreMemory;
  readonly #side: HttpSide;
  readonly #clock: Clock;
  /** Maximum size of a record in a slot: the rest is for the response. */
  readonly #limit: number;

  constructor(core: CoreMemory, map: MemoryMap, side: HttpSide, clock: Clock) {
    this.#core = core;
    this.#side = side;
    this.#clock = clock;
    this.#limit = (map.slotStride - SLOT_DATA_OFFSET) >> 1;
  }

  fitsSlot(bytes: number): boolean {
    return bytes <= this.#limit;
  }

  get mostBytes(): number {
    return this.#side.extents.mostRequestBytes;
  }

  take(bytes: number): number {
    return this.#side.extents.takeForRequest(bytes);
  }

  give(extent: number): void {
    this.#side.extents.giveOfRequest(extent);
  }

  write(extent: number, request: RequestInHand): number {
    return this.#writeRecord(this.#side.extents.start(extent), request);
  }

  get memory(): Uint8Array {
    return this.#core.u8;
  }

  /**
   * Writes the parser's current request into the exchange's slot. A record that is too large lies in the extent that the parser was given
   * for it, which the exchange owns from now on.
   * @param queueDeadline by the server's clock, 0 for none
   */
  fill(exchange: Exchange, request: RequestInHand, route: number, now: number, queueDeadline: number): void {
    const { slot } = exchange;
    const view = this.#side.views[slot];
    if (exchange.isOffer) exchange.upgradeHeadBytes = request.takeFollowing(this.#roomBehind(request));
    const { headBytes, bodyBytes, fieldCount, method, arrivedAtMs } = request;
    let flags = method === HEAD ? SLOT_HEAD_REQUEST_FLAG : 0;
    if (request.isStreamed) flags |= SLOT_BODY_STREAM_FLAG;
    if (!request.keepAlive) flags |= SLOT_LAST_REQUEST_FLAG;
    if (exchange.isOffer) flags |= SLOT_UPGRADE_FLAG;
    const extent = request.takeExtent();
    let record = view.data;
    if (extent === NO_EXTENT) {
      // The memory after the slot belongs to others.
      if (!this.fitsSlot(fieldCount * FIELD_BYTES + headBytes + bodyBytes))
        throw new RangeError('The record has no extent.');
      this.#writeRecord(record, request);
    } else record = this.#side.extents.start(extent);
    exchange.requestExtent = extent;
    view.writeRequest({
      route,
      method,
      flags,
      sequence: exchange.sequence,
      arrivedAt: arrivedAtMs === undefined ? now : this.#clock.usAt(arrivedAtMs),
      submittedAt: now,
      queueDeadline,
      record,
      fieldCount,
      targetBytes: request.targetBytes,
      headBytes,
      bodyBytes,
      peer: exchange.connection!.peer,
    });
    this.#side.clearStart(slot);
  }

  /** Bytes that a slot has for what follows the head of the request. */
  #roomBehind({ fieldCount, headBytes }: RequestInHand): number {
    return this.#limit - fieldCount * FIELD_BYTES - headBytes;
  }

  /** Writes field index, head, and the available part of the body. Returns the address after it. */
  #writeRecord(record: number, request: RequestInHand): number {
    const { headBytes, bodyBytes, fieldCount } = request;
    const { u8, wasm } = this.#core;
    // After a reload, the index stays in the memory of the first shards.
    if (request.isIndexedIn(this.#core)) wasm.headCopyFields(record);
    else u8.set(request.fields(), record);
    const head = record + fieldCount * FIELD_BYTES;
    request.copyHead(this.#core, head);
    if (bodyBytes > 0) u8.set(request.body(), head + headBytes);
    return head + headBytes + bodyBytes;
  }
}
