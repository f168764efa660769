import {
  NO_EXTENT,
  SLOT_ARRIVED_AT_OFFSET,
  SLOT_BODY_BYTES_OFFSET,
  SLOT_DATA_OFFSET,
  SLOT_FIELD_COUNT_OFFSET,
  SLOT_FLAGS_OFFSET,
  SLOT_HEAD_BYTES_OFFSET,
  SLOT_METHOD_OFFSET,
  SLOT_PEER_OFFSET,
  SLOT_QUEUE_DEADLINE_OFFSET,
  SLOT_RECORD_OFFSET,
  SLOT_RESPONSE_BODY_BYTES_OFFSET,
  SLOT_RESPONSE_EXTENT_OFFSET,
  SLOT_RESPONSE_HEAD_BYTES_OFFSET,
  SLOT_RESPONSE_OFFSET,
  SLOT_ROUTE_OFFSET,
  SLOT_SEQUENCE_OFFSET,
  SLOT_SUBMITTED_AT_OFFSET,
  SLOT_TARGET_BYTES_OFFSET,
} from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { type MemoryMap, slotAddress } from './memory-map.js';
import { type Peer, readIsSecure, readPeer } from './peer.js';

const ROUTE = SLOT_ROUTE_OFFSET >> 2;
const METHOD = SLOT_METHOD_OFFSET >> 2;
const FLAGS = SLOT_FLAGS_OFFSET >> 2;
const SEQUENCE = SLOT_SEQUENCE_OFFSET >> 2;
const ARRIVED_AT = SLOT_ARRIVED_AT_OFFSET >> 2;
const SUBMITTED_AT = SLOT_SUBMITTED_AT_OFFSET >> 2;
const QUEUE_DEADLINE = SLOT_QUEUE_DEADLINE_OFFSET >> 2;
const RECORD = SLOT_RECORD_OFFSET >> 2;
const FIELD_COUNT = SLOT_FIELD_COUNT_OFFSET >> 2;
const TARGET_BYTES = SLOT_TARGET_BYTES_OFFSET >> 2;
const HEAD_BYTES = SLOT_HEAD_BYTES_OFFSET >> 2;
const BODY_BYTES = SLOT_BODY_BYTES_OFFSET >> 2;
const RESPONSE = SLOT_RESPONSE_OFFSET >> 2;
const RESPONSE_HEAD_BYTES = SLOT_RESPONSE_HEAD_BYTES_OFFSET >> 2;
const RESPONSE_BODY_BYTES = SLOT_RESPONSE_BODY_BYTES_OFFSET >> 2;
const RESPONSE_EXTENT = SLOT_RESPONSE_EXTENT_OFFSET >> 2;
const PEER = SLOT_PEER_OFFSET >> 2;

/** The words of a request at its submission. */
export interface RequestWords {
  route: number;
  /** Index in ALL_METHODS. */
  method: number;
  /** SLOT_*_FLAG bits. */
  flags: number;
  sequence: number;
  /** When its first byte arrived, in microseconds of the server's clock. */
  arrivedAt: number;
  /** By the same clock. */
  submittedAt: number;
  /** When the handler must have been called, by the same clock; 0 disables the deadline. */
  queueDeadline: number;
  /** Address of the record. */
  record: number;
  fieldCount: number;
  targetBytes: number;
  headBytes: number;
  bodyBytes: number;
  /** The client's end of the connection, as `peerWords` returns it. */
  peer: Int32Array;
}

/**
 * The words of one slot, except those that determine its owner. Accesses are plain: only the owner accesses the slot, and the step by which
 * it became the owner has made the words visible. For the thread that owns the slot.
 */
export class SlotView {
  /** The slot's memory for request and response: from `data` up to `end`. */
  readonly data: number;
  readonly end: number;
  readonly #i32: Int32Array;
  readonly #word: number;

  constructor(core: CoreMemory, map: MemoryMap, slot: number) {
    const address = slotAddress(map, slot);
    this.data = address + SLOT_DATA_OFFSET;
    this.end = address + map.slotStride;
    this.#i32 = core.i32;
    this.#word = address >> 2;
  }

  /** Writes a request. HTTP thread, before it submits the slot. */
  writeRequest(words: RequestWords): void {
    const i32 = this.#i32;
    const word = this.#word;
    i32[word + ROUTE] = words.route;
    i32[word + METHOD] = words.method;
    i32[word + FLAGS] = words.flags;
    i32[word + SEQUENCE] = words.sequence;
    i32[word + ARRIVED_AT] = words.arrivedAt;
    i32[word + SUBMITTED_AT] = words.submittedAt;
    i32[word + QUEUE_DEADLINE] = words.queueDeadline;
    i32[word + RECORD] = words.record;
    i32[word + FIELD_COUNT] = words.fieldCount;
    i32[word + TARGET_BYTES] = words.targetBytes;
    i32[word + HEAD_BYTES] = words.headBytes;
    i32[word + BODY_BYTES] = words.bodyBytes;
    i32[word + RESPONSE_EXTENT] = NO_EXTENT;
    const { peer } = words;
    // A loop, because `set` takes several times as long for so few words of shared memory.
    for (let i = 0; i < peer.length; i++) i32[word + PEER + i] = peer[i];
  }

  get route(): number {
    return this.#i32[this.#word + ROUTE];
  }

  /** Index in ALL_METHODS. */
  get method(): number {
    return this.#i32[this.#word + METHOD];
  }

  get sequence(): number {
    return this.#i32[this.#word + SEQUENCE];
  }

  get arrivedAt(): number {
    return this.#i32[this.#word + ARRIVED_AT];
  }

  get submittedAt(): number {
    return this.#i32[this.#word + SUBMITTED_AT];
  }

  get queueDeadline(): number {
    return this.#i32[this.#word + QUEUE_DEADLINE];
  }

  /** @param flag one or more of SLOT_*_FLAG; returns whether any of them is set */
  has(flag: number): boolean {
    return (this.#i32[this.#word + FLAGS] & flag) !== 0;
  }

  /** @param flag one of SLOT_*_FLAG */
  mark(flag: number): void {
    this.#i32[this.#word + FLAGS] |= flag;
  }

  /** @param flag one of SLOT_*_FLAG */
  clear(flag: number): void {
    this.#i32[this.#word + FLAGS] &= ~flag;
  }

  // ── the request record ──────────────────────────────────────────────────────────────────────────────────────────

  /** Address of the record: field index, head, body. */
  get record(): number {
    return this.#i32[this.#word + RECORD];
  }

  get fieldCount(): number {
    return this.#i32[this.#word + FIELD_COUNT];
  }

  get targetBytes(): number {
    return this.#i32[this.#word + TARGET_BYTES];
  }

  get headBytes(): number {
    return this.#i32[this.#word + HEAD_BYTES];
  }

  get bodyBytes(): number {
    return this.#i32[this.#word + BODY_BYTES];
  }

  /** The client's end of the connection. */
  get peer(): Peer {
    return readPeer(this.#i32, this.#word + PEER);
  }

  /** Whether TLS secures the connection. */
  get isSecure(): boolean {
    return readIsSecure(this.#i32, this.#word + PEER);
  }

  // ── the response ────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Describes the response. Shard, before it completes the slot.
   * @param start address of the first byte of the head, which the body follows
   * @param extent that both lie in, or NO_EXTENT
   */
  writeResponse(start: number, headBytes: number, bodyBytes: number, extent: number): void {
    const i32 = this.#i32;
    const word = this.#word;
    i32[word + RESPONSE] = start;
    i32[word + RESPONSE_HEAD_BYTES] = headBytes;
    i32[word + RESPONSE_BODY_BYTES] = bodyBytes;
    i32[word + RESPONSE_EXTENT] = extent;
  }

  get response(): number {
    return this.#i32[this.#word + RESPONSE];
  }

  get responseHeadBytes(): number {
    return this.#i32[this.#word + RESPONSE_HEAD_BYTES];
  }

  get responseBodyBytes(): number {
    return this.#i32[this.#word + RESPONSE_BODY_BYTES];
  }

  get responseExtent(): number {
    return this.#i32[this.#word + RESPONSE_EXTENT];
  }
}
