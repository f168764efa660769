import { performance } from 'node:perf_hooks';
import type { HeadIndex } from './head-index.js';

/**
 * A request that did not arrive in one chunk: copies of the parts that the next chunk will overwrite. HTTP thread only. Rarely needed, so
 * simple rather than fast.
 */
export class PartialMessage {
  /** When its first chunk arrived, by `performance.now()`. */
  readonly arrivedAtMs = performance.now();
  /** The last bytes before the target, at most two, until the target has begun. */
  lineStart: Buffer = Buffer.alloc(0);
  /** Head bytes from the first byte of the target on. */
  head: Buffer = Buffer.alloc(0);
  headComplete = false;
  readonly body = new GrowingBytes();
  #index: Int32Array = new Int32Array(0);

  /** Saves the head index, which another connection is about to use. */
  saveIndex(index: HeadIndex): void {
    this.#index = index.save(this.#index);
  }

  restoreIndex(index: HeadIndex): void {
    index.restore(this.#index);
  }
}

/** A contiguous buffer of bytes that grows. */
export class GrowingBytes {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Makes room for `bytes` bytes in total. */
  reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(bytes);
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) this.reserve(Math.max(length, this.#bytes.length * 2, 1024));
    this.#bytes.set(bytes, this.#length);
    this.#length = length;
  }

  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
