import type { CoreMemory } from '../core/memory.js';
import { Overflow } from './overflow.js';

/** Thrown by generated code if the value does not fit between position and limit. */
export const FULL = Symbol('full');

/**
 * The output of generated code: a region of shared memory and, if it may spill, private memory with the region as its buffer. A value
 * that outgrows its region is thus not read a second time.
 */
export class Sink {
  readonly #core: CoreMemory;
  #start = 0;
  #limit = 0;
  #spills = false;
  #overflow: Overflow | undefined;
  /** Whether a part of the value was left to JSON.stringify or the plain lane. */
  fellBack = false;
  /** Whether cleanup is needed after the value. */
  isTouched = false;

  constructor(core: CoreMemory) {
    this.#core = core;
  }

  /** Called before a value. */
  begin(start: number, limit: number, spills: boolean): void {
    this.#start = start;
    this.#limit = limit;
    this.#spills = spills;
  }

  /**
   * Called after a value.
   * @returns `position` if the value is in the region, otherwise its bytes
   */
  end(position: number): number | Uint8Array<ArrayBuffer> {
    const overflow = this.#overflow;
    if (overflow === undefined) return position;
    overflow.append(this.#core.u8.subarray(this.#start, position));
    return overflow.bytes();
  }

  /** Prepares for the next value. */
  reset(): void {
    this.#overflow = undefined;
    this.fellBack = false;
    this.isTouched = false;
  }

  /** Records that a part of the value is left to JSON.stringify or the plain lane. */
  fallBack(): void {
    this.fellBack = true;
    this.isTouched = true;
  }

  /**
   * Moves the bytes of the region to private memory.
   * @returns the start of the region
   * @throws FULL if the value must lie in the region
   */
  moveOut(position: number): number {
    if (!this.#spills) throw FULL;
    this.isTouched = true;
    this.#overflow ??= new Overflow(2 * (this.#limit - this.#start));
    this.#overflow.append(this.#core.u8.subarray(this.#start, position));
    return this.#start;
  }

  /**
   * Writes well-formed text.
   * @returns the position after it
   * @throws FULL
   */
  put(position: number, text: string): number {
    if (this.#fits(position, text)) return position + this.#core.bytes.write(text, position);
    const start = this.moveOut(position);
    if (this.#fits(start, text)) return start + this.#core.bytes.write(text, start);
    this.#overflow!.append(Buffer.from(text));
    return start;
  }

  /** Returns the JSON of a string that has lone surrogates or does not fit into the region for quoting. */
  quote(text: string): string {
    this.fallBack();
    return JSON.stringify(text);
  }

  #fits(position: number, text: string): boolean {
    const room = this.#limit - position;
    return text.length * 3 <= room || (text.length <= room && Buffer.byteLength(text) <= room);
  }
}
