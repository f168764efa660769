/** Growable private memory for bytes that do not fit into a region. */
export class Overflow {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** @param bytes initial size */
  constructor(bytes: number) {
    this.#bytes = new Uint8Array(Math.max(bytes, 1024));
  }

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
  }

  /** Returns all appended bytes, in memory of exactly their size. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}
