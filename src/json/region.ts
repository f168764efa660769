import {
  TAPE_ARRAY_NUMBERS,
  TAPE_LONG_UNITS,
  TAPE_NUMBERS_OFFSET,
  TAPE_TEXT_BYTES,
  TAPE_TEXT_OFFSET,
} from '../../assembly/json/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { Writer } from '../core/writer.js';
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
  readonly #writer: Writer | undefined;
  readonly #tape: Tape | undefined;
  readonly #grow: Grow | undefined;
  #overflow: Overflow | undefined;

  /**
   * @param core without one, all goes to private memory, and the region is empty
   * @param grow asked for a larger region when this one is full
   */
  constructor(core: CoreMemory | undefined, start: number, limit: number, grow?: Grow) {
    this.#writer = core && new Writer(core, start, limit - start);
    this.#tape = core && Tape.of(core);
    this.#grow = grow;
  }

  /** Whether all that was written lies in the region. */
  get inPlace(): boolean {
    return this.#overflow === undefined;
  }

  /** Behind the last byte in the region. */
  get position(): number {
    return this.#writer?.position ?? 0;
  }

  /** Bytes written, wherever they lie. */
  get length(): number {
    return (this.#overflow?.length ?? 0) + (this.#writer?.length ?? 0);
  }

  /** All that was written: a view of the region, or private bytes. */
  bytes(): Uint8Array {
    if (this.#overflow === undefined && this.#writer !== undefined) return this.#writer.view();
    return this.#moveOut().bytes();
  }

  byte(code: number): void {
    if (this.#writer?.byte(code)) return;
    this.raw(Uint8Array.of(code));
  }

  raw(bytes: Uint8Array): void {
    if (this.#writer?.raw(bytes)) return;
    this.#makeRoom(bytes.length);
    if (!this.#writer?.raw(bytes)) this.#moveOut().append(bytes);
  }

  /** JSON text as it is. */
  text(text: string): void {
    this.raw(Buffer.from(text));
  }

  /** A JSON string. */
  string(value: string): void {
    const tape = this.#tape;
    const writer = this.#writer;
    if (writer === undefined || tape === undefined || tape.busy || value.length > TAPE_LONG_UNITS) {
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
    const { wasm } = tape.core;
    if (writer.advance(wasm.writeString(writer.position, writer.limit, source, bytes))) return;
    this.#makeRoom(bytes * MAX_ESCAPED_BYTES + QUOTES_BYTES);
    if (!writer.advance(wasm.writeString(writer.position, writer.limit, source, bytes))) {
      this.text(JSON.stringify(value));
    }
  }

  number(value: number): void {
    const tape = this.#tape;
    const writer = this.#writer;
    if (writer === undefined || tape === undefined || tape.busy) {
      this.text(JSON.stringify(value));
      return;
    }
    const { wasm } = tape.core;
    if (writer.advance(wasm.jsonNumber(writer.position, writer.limit, value, tape.address))) return;
    this.#makeRoom(MAX_NUMBER_BYTES);
    if (!writer.advance(wasm.jsonNumber(writer.position, writer.limit, value, tape.address))) {
      this.text(JSON.stringify(value));
    }
  }

  /** Numbers with commas between them. */
  numbers(values: NumberArray): void {
    const tape = this.#tape;
    const writer = this.#writer;
    // In small regions a chunk might never fit.
    const chunk = writer
      ? Math.min(TAPE_ARRAY_NUMBERS, Math.floor((writer.limit - writer.start) / MAX_NUMBER_BYTES))
      : 0;
    if (writer === undefined || tape === undefined || tape.busy || chunk < 1) {
      this.text(Array.from(values, (value) => JSON.stringify(value)).join());
      return;
    }
    const source = tape.address + TAPE_NUMBERS_OFFSET;
    for (let at = 0; at < values.length; at += chunk) {
      const part = values.subarray(at, at + chunk);
      if (at > 0) this.byte(0x2c);
      tape.f64.set(part, source >> 3);
      const { wasm } = tape.core;
      if (writer.advance(wasm.jsonNumbers(writer.position, writer.limit, source, part.length, tape.address))) continue;
      this.#makeRoom(part.length * MAX_NUMBER_BYTES);
      writer.advance(wasm.jsonNumbers(writer.position, writer.limit, source, part.length, tape.address));
    }
  }

  /** Makes room for `bytes` bytes more: in a larger region, or by emptying this one into private memory. */
  #makeRoom(bytes: number): void {
    const larger = this.#overflow === undefined ? this.#grow?.(this.length + bytes) : undefined;
    if (larger === undefined) {
      this.#moveOut();
      return;
    }
    this.#writer?.moveTo(larger.position, larger.limit - larger.position);
  }

  /** Empties the region into private memory. */
  #moveOut(): Overflow {
    const writer = this.#writer;
    this.#overflow ??= new Overflow(writer === undefined ? 0 : 2 * (writer.limit - writer.start));
    if (writer === undefined) return this.#overflow;
    this.#overflow.append(writer.view());
    writer.reset();
    return this.#overflow;
  }
}
