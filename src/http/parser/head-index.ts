import {
  FIELD_BYTES,
  FIELD_NAME_BYTES_OFFSET,
  FIELD_NAME_OFFSET,
  FIELD_VALUE_BYTES_OFFSET,
  FIELD_VALUE_OFFSET,
  HEAD_BASE_OFFSET,
  HEAD_BODY_BASE_OFFSET,
  HEAD_BODY_BYTES_OFFSET,
  HEAD_FIELD_COUNT_OFFSET,
  HEAD_FIELD_LIMIT_OFFSET,
  HEAD_FIELDS_OFFSET,
  HEAD_INDEX_BYTES,
  HEAD_KEEP_ALIVE_OFFSET,
  HEAD_STATE_OFFSET,
  HEAD_TARGET_BYTES_OFFSET,
  HEAD_TARGET_LIMIT_OFFSET,
  HEAD_TOTAL_BYTES_OFFSET,
  HEAD_TOTAL_LIMIT_OFFSET,
  HEAD_UPGRADE_OFFSET,
  MAX_FIELDS,
} from '../../../assembly/layout.js';
import type { CoreMemory } from '../../core/memory.js';
import type { CoreFunctions } from '../../core/module.js';

const BASE = HEAD_BASE_OFFSET >> 2;
const TARGET_BYTES = HEAD_TARGET_BYTES_OFFSET >> 2;
const TOTAL_BYTES = HEAD_TOTAL_BYTES_OFFSET >> 2;
const FIELD_COUNT = HEAD_FIELD_COUNT_OFFSET >> 2;
const STATE = HEAD_STATE_OFFSET >> 2;
const KEEP_ALIVE = HEAD_KEEP_ALIVE_OFFSET >> 2;
const UPGRADE = HEAD_UPGRADE_OFFSET >> 2;
const BODY_BASE = HEAD_BODY_BASE_OFFSET >> 2;
const BODY_BYTES = HEAD_BODY_BYTES_OFFSET >> 2;
const TARGET_LIMIT = HEAD_TARGET_LIMIT_OFFSET >> 2;
const TOTAL_LIMIT = HEAD_TOTAL_LIMIT_OFFSET >> 2;
const FIELD_LIMIT = HEAD_FIELD_LIMIT_OFFSET >> 2;
const FIELD_U16 = FIELD_BYTES >> 1;

/** Limits of request heads. */
export interface HeadLimits {
  maxTargetBytes: number;
  maxHeadBytes: number;
  maxHeaderFields: number;
}

/** The head index of assembly/head.ts: the positions of the parts of the current head. HTTP thread only. */
export class HeadIndex {
  readonly #fields: number;
  readonly #i32: Int32Array;
  readonly #fieldU16: Uint16Array;
  readonly #u8: Uint8Array;
  readonly #wasm: CoreFunctions;

  /** @param address of the HTTP thread's head index */
  constructor(core: CoreMemory, address: number, limits: HeadLimits) {
    this.#fields = address + HEAD_FIELDS_OFFSET;
    this.#wasm = core.wasm;
    this.#i32 = new Int32Array(core.buffer, address, HEAD_INDEX_BYTES >> 2);
    this.#fieldU16 = new Uint16Array(core.buffer, this.#fields, (MAX_FIELDS * FIELD_BYTES) >> 1);
    this.#u8 = core.u8;
    this.#i32[TARGET_LIMIT] = limits.maxTargetBytes;
    this.#i32[TOTAL_LIMIT] = limits.maxHeadBytes;
    this.#i32[FIELD_LIMIT] = limits.maxHeaderFields;
    core.wasm.headUse(address);
  }

  /** Whether it lies in the memory of `core`. */
  isIn(core: CoreMemory): boolean {
    return this.#u8.buffer === core.buffer;
  }

  /** Address of the first byte of the target in the parser's memory. */
  get base(): number {
    return this.#i32[BASE];
  }
  set base(address: number) {
    this.#i32[BASE] = address;
  }

  get targetBytes(): number {
    return this.#i32[TARGET_BYTES];
  }
  set targetBytes(bytes: number) {
    this.#i32[TARGET_BYTES] = bytes;
  }

  /** Size of target, version and fields. */
  get totalBytes(): number {
    return this.#i32[TOTAL_BYTES];
  }
  set totalBytes(bytes: number) {
    this.#i32[TOTAL_BYTES] = bytes;
  }

  get totalLimit(): number {
    return this.#i32[TOTAL_LIMIT];
  }

  get state(): number {
    return this.#i32[STATE];
  }
  set state(state: number) {
    this.#i32[STATE] = state;
  }

  get keepAlive(): boolean {
    return this.#i32[KEEP_ALIVE] === 1;
  }
  set keepAlive(keep: boolean) {
    this.#i32[KEEP_ALIVE] = keep ? 1 : 0;
  }

  get upgrade(): boolean {
    return this.#i32[UPGRADE] === 1;
  }

  get bodyBase(): number {
    return this.#i32[BODY_BASE];
  }

  get bodyBytes(): number {
    return this.#i32[BODY_BYTES];
  }

  /** Records a piece of the body, if it is contiguous with the previous one. */
  noteBody(at: number, bytes: number): boolean {
    return this.#wasm.headBody(at, bytes) === 1;
  }

  get fieldCount(): number {
    return this.#i32[FIELD_COUNT];
  }

  /** Size of a field's name in bytes. */
  nameBytes(field: number): number {
    return this.#fieldU16[field * FIELD_U16 + (FIELD_NAME_BYTES_OFFSET >> 1)];
  }

  /** Offset of a field's name from the first byte of the target. */
  nameOffset(field: number): number {
    return this.#fieldU16[field * FIELD_U16 + (FIELD_NAME_OFFSET >> 1)];
  }

  valueBytes(field: number): number {
    return this.#fieldU16[field * FIELD_U16 + (FIELD_VALUE_BYTES_OFFSET >> 1)];
  }

  valueOffset(field: number): number {
    return this.#fieldU16[field * FIELD_U16 + (FIELD_VALUE_OFFSET >> 1)];
  }

  /** Moves the value of a field elsewhere in the head. */
  placeValue(field: number, offset: number, bytes: number): void {
    this.#fieldU16[field * FIELD_U16 + (FIELD_VALUE_OFFSET >> 1)] = offset;
    this.#fieldU16[field * FIELD_U16 + (FIELD_VALUE_BYTES_OFFSET >> 1)] = bytes;
  }

  /** Moves every field of a head whose target has changed its length by `difference` bytes. */
  moveFields(difference: number): void {
    for (let field = 0; field < this.fieldCount; field++) {
      this.#fieldU16[field * FIELD_U16 + (FIELD_NAME_OFFSET >> 1)] += difference;
      this.#fieldU16[field * FIELD_U16 + (FIELD_VALUE_OFFSET >> 1)] += difference;
    }
  }

  /** The entries of all fields, in the format of slots. */
  entries(): Uint8Array {
    return this.#u8.subarray(this.#fields, this.#fields + this.fieldCount * FIELD_BYTES);
  }

  /**
   * Copies it, because another connection's head would overwrite it.
   * @param into is used again if it is large enough
   */
  save(into: Int32Array): Int32Array {
    const words = (HEAD_FIELDS_OFFSET + this.fieldCount * FIELD_BYTES) >> 2;
    const saved = into.length >= words ? into : new Int32Array(words);
    for (let word = 0; word < words; word++) saved[word] = this.#i32[word];
    return saved;
  }

  restore(saved: Int32Array): void {
    // `set` takes several times as long to copy into shared memory.
    const words = (HEAD_FIELDS_OFFSET + saved[FIELD_COUNT] * FIELD_BYTES) >> 2;
    for (let word = 0; word < words; word++) this.#i32[word] = saved[word];
  }
}
