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
  HEAD_FIELDS_OFFSET,
  HEAD_INDEX_OFFSET,
  HEAD_KEEP_ALIVE_OFFSET,
  HEAD_STATE_OFFSET,
  HEAD_TARGET_BYTES_OFFSET,
  HEAD_TOTAL_BYTES_OFFSET,
  HEAD_TOTAL_LIMIT_OFFSET,
  HEAD_UPGRADE_OFFSET,
} from '../../../assembly/layout.js';
import type { CoreMemory } from '../../core/memory.js';
import type { CoreFunctions } from '../../core/module.js';

const word = (offset: number) => (HEAD_INDEX_OFFSET + offset) >> 2;
const BASE = word(HEAD_BASE_OFFSET);
const TARGET_BYTES = word(HEAD_TARGET_BYTES_OFFSET);
const TOTAL_BYTES = word(HEAD_TOTAL_BYTES_OFFSET);
const FIELD_COUNT = word(HEAD_FIELD_COUNT_OFFSET);
const STATE = word(HEAD_STATE_OFFSET);
const TOTAL_LIMIT = word(HEAD_TOTAL_LIMIT_OFFSET);
const KEEP_ALIVE = word(HEAD_KEEP_ALIVE_OFFSET);
const UPGRADE = word(HEAD_UPGRADE_OFFSET);
const BODY_BASE = word(HEAD_BODY_BASE_OFFSET);
const BODY_BYTES = word(HEAD_BODY_BYTES_OFFSET);
const FIELDS = HEAD_INDEX_OFFSET + HEAD_FIELDS_OFFSET;
const FIELDS_U16 = FIELDS >> 1;
const FIELD_U16 = FIELD_BYTES >> 1;

/** The head index of assembly/head.ts: where the parts of the head lie that is being parsed. HTTP thread only. */
export class HeadIndex {
  readonly #i32: Int32Array;
  readonly #u16: Uint16Array;
  readonly #u8: Uint8Array;
  readonly #wasm: CoreFunctions;

  constructor(core: CoreMemory) {
    this.#wasm = core.wasm;
    this.#i32 = core.i32;
    this.#u16 = core.u16;
    this.#u8 = core.u8;
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

  /** Target, version and fields. */
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

  /** Notes a piece of the body, if it follows the one before. */
  noteBody(at: number, bytes: number): boolean {
    return this.#wasm.headBody(at, bytes) === 1;
  }

  get fieldCount(): number {
    return this.#i32[FIELD_COUNT];
  }

  /** Bytes of the name of a field. */
  nameBytes(field: number): number {
    return this.#u16[FIELDS_U16 + field * FIELD_U16 + (FIELD_NAME_BYTES_OFFSET >> 1)];
  }

  /** Where the name of a field starts, from the first byte of the target. */
  nameOffset(field: number): number {
    return this.#u16[FIELDS_U16 + field * FIELD_U16 + (FIELD_NAME_OFFSET >> 1)];
  }

  valueBytes(field: number): number {
    return this.#u16[FIELDS_U16 + field * FIELD_U16 + (FIELD_VALUE_BYTES_OFFSET >> 1)];
  }

  valueOffset(field: number): number {
    return this.#u16[FIELDS_U16 + field * FIELD_U16 + (FIELD_VALUE_OFFSET >> 1)];
  }

  /** Has the value of a field lie elsewhere in the head. */
  placeValue(field: number, offset: number, bytes: number): void {
    this.#u16[FIELDS_U16 + field * FIELD_U16 + (FIELD_VALUE_OFFSET >> 1)] = offset;
    this.#u16[FIELDS_U16 + field * FIELD_U16 + (FIELD_VALUE_BYTES_OFFSET >> 1)] = bytes;
  }

  /** Moves every field of a head whose target has changed its length by `difference` bytes. */
  moveFields(difference: number): void {
    for (let field = 0; field < this.fieldCount; field++) {
      this.#u16[FIELDS_U16 + field * FIELD_U16 + (FIELD_NAME_OFFSET >> 1)] += difference;
      this.#u16[FIELDS_U16 + field * FIELD_U16 + (FIELD_VALUE_OFFSET >> 1)] += difference;
    }
  }

  /** The entries of all fields, as a slot has them. */
  entries(): Uint8Array {
    return this.#u8.subarray(FIELDS, FIELDS + this.fieldCount * FIELD_BYTES);
  }

  /** A copy of what another connection's head would overwrite. */
  save(): Uint8Array {
    return this.#u8.slice(HEAD_INDEX_OFFSET, FIELDS + this.fieldCount * FIELD_BYTES);
  }

  restore(saved: Uint8Array): void {
    this.#u8.set(saved, HEAD_INDEX_OFFSET);
  }
}
