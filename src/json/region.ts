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

/** Typed arrays whose elements are JSON numbers. */
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

/** Maximum size of an escaped byte of text, and the size of the quotes around a text. */
const MAX_ESCAPED_BYTES = 6;
const QUOTES_BYTES = 2;
/** Maximum size of a number with its comma. */
const MAX_NUMBER_BYTES = 26;

/** Provides a larger region for `bytes` bytes that begins with the bytes written; `undefined` to use private memory. */
export type Grow = (bytes: number) => { position: number; limit: number } | undefined;

/**
 * An unlimited place to write: a region of shared memory; when it is full, a larger region, if one is available; and then growable
 * private memory, with the region as its buffer.
 */
export class Region {
  readonly #writer: Writer | undefined;
  readonly #tape: Tape | undefined;
  readonly #grow: Grow | undefined;
  #overflow: Overflow | undefined;

  /**
   * @param core `undefined` to write to private memory only; the region is then empty
   * @param grow provides a larger region when this one is full
   */
  constructor(core: CoreMemory | undefined, start: number, limit: number, grow?: Grow) {
    this.#writer = core && new Writer(core, start, limit - start);
    this.#tape = core && Tape.of(core);
    this.#grow = grow;
  }

  /** Whether everything written is in the region. */
  get inPlace(): boolean {
    return this.#overflow === undefined;
  }

  /** Address after the last byte in the region. */
  get position(): number {
    return this.#writer?.position ?? 0;
  }

  /** Number of bytes written, in the region and in private memory. */
  get length(): number {
    return (this.#overflow?.length ?? 0) + (this.#writer?.length ?? 0);
  }

  /** Returns everything written: a view of the region, or private bytes. */
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

  /** Writes JSON text unchanged. */
  text(text: string): void {
    this.raw(Buffer.from(text));
  }

  /** Writes a JSON string. */
  string(value: string): void {
    const tape = this.#tape;
    const writer = this.#writer;
    if (writer === undefined || tape === undefined || tape.busy || value.length > TAPE_LONG_UNITS) {
      this.text(JSON.stringify(value));
      return;
    }
    const source = tape.address + TAPE_TEXT_OFFSET;
    const bytes = tape.bytes.utf8Write(value, source, TAPE_TEXT_BYTES);
    // UTF-8 cannot represent lone surrogates; JSON.stringify escapes them.
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

  /** Writes numbers separated by commas. */
  numbers(values: NumberArray): void {
    const tape = this.#tape;
    const writer = this.#writer;
    // In a small region a full chunk might never fit.
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

  /** Makes room for another `bytes` bytes: in a larger region, or by moving this one's bytes to private memory. */
  #makeRoom(bytes: number): void {
    const larger = this.#overflow === undefined ? this.#grow?.(this.length + bytes) : undefined;
    if (larger === undefined) {
      this.#moveOut();
      return;
    }
    this.#writer?.moveTo(larger.position, larger.limit - larger.position);
  }

  /** Moves the bytes of the region to private memory. */
  #moveOut(): Overflow {
    const writer = this.#writer;
    this.#overflow ??= new Overflow(writer === undefined ? 0 : 2 * (writer.limit - writer.start));
    if (writer === undefined) return this.#overflow;
    this.#overflow.append(writer.view());
    writer.reset();
    return this.#overflow;
  }
}
