import type { CoreMemory } from './memory.js';

/**
 * Writes bytes and JSON into a region of shared memory, and never past its end. Used by the thread that owns the region.
 *
 * Every method returns `false` when what it was given does not fit; then nothing counts as written, and the writer still
 * stands where it stood before.
 */
export class Writer {
  readonly #core: CoreMemory;
  #start: number;
  #limit: number;
  #position: number;

  /**
   * @param start first byte of the region, as `allocate` returned it
   * @param bytes size of the region
   */
  constructor(core: CoreMemory, start: number, bytes: number) {
    this.#core = core;
    this.#start = start;
    this.#limit = start + bytes;
    this.#position = start;
  }

  /** First byte of the region. */
  get start(): number {
    return this.#start;
  }

  /** Behind its last byte. */
  get limit(): number {
    return this.#limit;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#position;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#position - this.#start;
  }

  /** What was written: a view, valid until the region is written again. */
  view(): Uint8Array {
    return this.#core.u8.subarray(this.#start, this.#position);
  }

  /** Starts over. */
  reset(): void {
    this.#position = this.#start;
  }

  /** Goes on in another region, which begins with what was written so far. */
  moveTo(start: number, bytes: number): void {
    this.#position += start - this.#start;
    this.#start = start;
    this.#limit = start + bytes;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): boolean {
    if (bytes.length > this.#limit - this.#position) return false;
    this.#core.u8.set(bytes, this.#position);
    this.#position += bytes.length;
    return true;
  }

  /** One byte: an ASCII character of punctuation, by its code. */
  byte(code: number): boolean {
    if (this.#position === this.#limit) return false;
    this.#core.u8[this.#position++] = code;
    return true;
  }

  /** An integer of magnitude up to 2⁵³, in digits. */
  integer(value: number): boolean {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer.`);
    return this.advance(this.#core.wasm.writeInteger(this.#position, this.#limit, value));
  }

  /** A JSON string: quoted, escaped as JSON.stringify escapes it. */
  string(value: string): boolean {
    // UTF-8 has no lone surrogates; JSON.stringify escapes them.
    if (!value.isWellFormed()) return this.raw(Buffer.from(JSON.stringify(value)));
    return this.advance(this.#writeString(value));
  }

  #writeString(value: string): number {
    // The raw text goes to the far end of the free space, and is escaped from there to where it belongs: what is written
    // can overtake what is still to be read only if the escaped text does not fit with the raw one, so it is refused.
    const free = this.#limit - this.#position;
    const text = Buffer.byteLength(value);
    if (text + 2 > free) return 0;
    const source = this.#limit - text;
    this.#core.bytes.write(value, source, text, 'utf8');
    return this.#core.wasm.writeString(this.#position, this.#limit, source, text);
  }

  /**
   * Counts as written what a function of the core has written from `position` on.
   * @param position where that ended; 0 if it did not fit
   */
  advance(position: number): boolean {
    if (position === 0) return false;
    this.#position = position;
    return true;
  }
}
