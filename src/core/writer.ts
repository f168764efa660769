import type { CoreMemory } from './memory.js';

/**
 * Writes bytes and JSON into a region of shared memory, and never past its end. Owner of the region only.
 *
 * Every method returns `false` if its argument does not fit; the position is then unchanged.
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

  /** Address after its last byte. */
  get limit(): number {
    return this.#limit;
  }

  /** Address of the next byte to write. */
  get position(): number {
    return this.#position;
  }

  /** Number of bytes written so far. */
  get length(): number {
    return this.#position - this.#start;
  }

  /** Returns a view of the bytes written, valid until the region is written again. */
  view(): Uint8Array {
    return this.#core.u8.subarray(this.#start, this.#position);
  }

  /** Starts over. */
  reset(): void {
    this.#position = this.#start;
  }

  /** Continues in another region, which must begin with the bytes written so far. */
  moveTo(start: number, bytes: number): void {
    this.#position += start - this.#start;
    this.#start = start;
    this.#limit = start + bytes;
  }

  /** Writes bytes unchanged. */
  raw(bytes: Uint8Array): boolean {
    if (bytes.length > this.#limit - this.#position) return false;
    this.#core.u8.set(bytes, this.#position);
    this.#position += bytes.length;
    return true;
  }

  /** Writes one byte, an ASCII code. */
  byte(code: number): boolean {
    if (this.#position === this.#limit) return false;
    this.#core.u8[this.#position++] = code;
    return true;
  }

  /** Writes a safe integer in decimal. */
  integer(value: number): boolean {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer.`);
    return this.advance(this.#core.wasm.writeInteger(this.#position, this.#limit, value));
  }

  /** Writes a JSON string, escaped as by JSON.stringify. */
  string(value: string): boolean {
    // UTF-8 cannot represent lone surrogates; JSON.stringify escapes them.
    if (!value.isWellFormed()) return this.raw(Buffer.from(JSON.stringify(value)));
    return this.advance(this.#writeString(value));
  }

  #writeString(value: string): number {
    // The raw text is put at the end of the free space and escaped from there to its place. If the output would overtake the unread
    // input, both do not fit together, and the core reports that.
    const free = this.#limit - this.#position;
    const text = Buffer.byteLength(value);
    if (text + 2 > free) return 0;
    const source = this.#limit - text;
    this.#core.bytes.write(value, source, text, 'utf8');
    return this.#core.wasm.writeString(this.#position, this.#limit, source, text);
  }

  /**
   * Moves the position after a function of the core has written there.
   * @param position end of the bytes written; 0 if they did not fit
   */
  advance(position: number): boolean {
    if (position === 0) return false;
    this.#position = position;
    return true;
  }
}
