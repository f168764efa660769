import {
  TAPE_ARRAY_NUMBERS,
  TAPE_LONG_UNITS,
  TAPE_NUMBERS_OFFSET,
  TAPE_TEXT_BYTES,
  TAPE_TEXT_OFFSET,
} from '../../assembly/json/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { Overflow } from './overflow.js';
import { Tape } from './tape.js';

/** Typed arrays of which every element is a JSON number. */
export type NumberArray =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray;

/** Of a byte of text, escaped; and what stands around a text. */
const MAX_ESCAPED_BYTES = 6;
const QUOTES_BYTES = 2;
/** Of one number, with its comma. */
const MAX_NUMBER_BYTES = 26;

/** Provides a larger region for `bytes` bytes that begins with what was written, or nothing: then private memory is used. */
export type Grow = (bytes: number) => { position: number; limit: number } | undefined;

/**
 * A place to write that never ends: a region of shared memory; a larger one when that is full, if there is one; and then
 * private memory that grows, for which the region is the antechamber.
 */
export class Region {
  readonly #core: CoreMemory | undefined;
  readonly #tape: Tape | undefined;
  #start: number;
  #limit: number;
  readonly #grow: Grow | undefined;
  #position: number;
  #overflow: Overflow | undefined;

  /**
   * @param core without one, all goes to private memory, and the region is empty
   * @param grow asked for a larger region when this one is full
   */
  constructor(core: CoreMemory | undefined, start: number, limit: number, grow?: Grow) {
    this.#core = core;
    this.#tape = core && Tape.of(core);
    this.#start = start;
    this.#limit = limit;
    this.#grow = grow;
    this.#position = start;
  }

  /** Whether all that was written lies in the region. */
  get inPlace(): boolean {
    return this.#overflow === undefined;
  }

  /** Behind the last byte in the region. */
  get position(): number {
    return this.#position;
  }

  /** Bytes written, wherever they lie. */
  get length(): number {
    return (this.#overflow?.length ?? 0) + this.#position - this.#start;
  }

  /** All that was written: a view of the region, or private bytes. */
  bytes(): Uint8Array {
    if (this.#overflow === undefined && this.#core !== undefined) {
      return this.#core.u8.subarray(this.#start, this.#position);
    }
    return this.#moveOut().bytes();
  }

  byte(code: number): void {
    if (this.#position === this.#limit) {
      this.#makeRoom(1);
      if (this.#position === this.#limit) {
        this.raw(Uint8Array.of(code));
        return;
      }
    }
    this.#core!.u8[this.#position++] = code;
  }

  raw(bytes: Uint8Array): void {
    if (bytes.length > this.#limit - this.#position) {
      this.#makeRoom(bytes.length);
      if (bytes.length > this.#limit - this.#position) {
        this.#moveOut().append(bytes);
        return;
      }
    }
    this.#core?.u8.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  /** JSON text as it is. */
  text(text: string): void {
    this.raw(Buffer.from(text));
  }

  /** A JSON string. */
  string(value: string): void {
    const tape = this.#tape;
    if (tape === undefined || tape.busy || value.length > TAPE_LONG_UNITS) {
      this.text(JSON.stringify(value));
      return;
    }
    const source = tape.address + TAPE_TEXT_OFFSET;
    const bytes = tape.bytes.utf8Write(value, source, TAPE_TEXT_BYTES);
    // UTF-8 has no lone surrogates; JSON.stringify escapes them.
    if (bytes !== value.length && !value.isWellFormed()) {
      this.text(JSON.stringify(value));
      return;
    }
    if (this.#took(tape.core.wasm.writeString(this.#position, this.#limit, source, bytes))) return;
    this.#makeRoom(bytes * MAX_ESCAPED_BYTES + QUOTES_BYTES);
    if (!this.#took(tape.core.wasm.writeString(this.#position, this.#limit, source, bytes)))
      this.text(JSON.stringify(value));
  }

  number(value: number): void {
    const tape = this.#tape;
    if (tape === undefined || tape.busy) {
      this.text(JSON.stringify(value));
      return;
    }
    if (this.#took(tape.core.wasm.jsonNumber(this.#position, this.#limit, value, tape.address))) return;
    this.#makeRoom(MAX_NUMBER_BYTES);
    if (!this.#took(tape.core.wasm.jsonNumber(this.#position, this.#limit, value, tape.address))) {
      this.text(JSON.stringify(value));
    }
  }

  /** Numbers with commas between them. */
  numbers(values: NumberArray): void {
    const tape = this.#tape;
    // In small regions a chunk might never fit.
    const chunk = Math.min(TAPE_ARRAY_NUMBERS, Math.floor((this.#limit - this.#start) / MAX_NUMBER_BYTES));
    if (tape === undefined || tape.busy || chunk < 1) {
      this.text(Array.from(values, (value) => JSON.stringify(value)).join());
      return;
    }
    const source = tape.address + TAPE_NUMBERS_OFFSET;
    for (let at = 0; at < values.length; at += chunk) {
      const part = values.subarray(at, at + chunk);
      if (at > 0) this.byte(0x2c);
      tape.f64.set(part, source >> 3);
      const { wasm } = tape.core;
      if (this.#took(wasm.jsonNumbers(this.#position, this.#limit, source, part.length, tape.address))) continue;
      this.#makeRoom(part.length * MAX_NUMBER_BYTES);
      this.#took(wasm.jsonNumbers(this.#position, this.#limit, source, part.length, tape.address));
    }
  }

  #took(end: number): boolean {
    if (end === 0) return false;
    this.#position = end;
    return true;
  }

  /** Makes room for `bytes` bytes more: in a larger region, or by emptying this one into private memory. */
  #makeRoom(bytes: number): void {
    const larger = this.#overflow === undefined ? this.#grow?.(this.length + bytes) : undefined;
    if (larger === undefined) {
      this.#moveOut();
      return;
    }
    this.#position = larger.position + this.#position - this.#start;
    this.#start = larger.position;
    this.#limit = larger.limit;
  }

  /** Empties the region into private memory. */
  #moveOut(): Overflow {
    this.#overflow ??= new Overflow(2 * (this.#limit - this.#start));
    if (this.#core !== undefined) this.#overflow.append(this.#core.u8.subarray(this.#start, this.#position));
    this.#position = this.#start;
    return this.#overflow;
  }
}
