import { FIELD_BYTES, HEAD_FIELD_COUNT_OFFSET, HEAD_FIELDS_OFFSET, HEAD_INDEX_OFFSET } from '../../assembly/layout.js';
import type { CoreMemory } from '../core/memory.js';

/**
 * A request that did not arrive in one chunk: copies of what the next chunk will overwrite. HTTP thread only, and rarely
 * needed, so it is plain rather than fast.
 */
export class PartialMessage {
  /** Head bytes from the first byte of the target on. */
  head: Buffer = Buffer.alloc(0);
  headComplete = false;
  readonly body = new GrowingBytes();
  #index: Uint8Array = new Uint8Array(0);

  /** Keeps the head index of the core, which is about to serve another connection. */
  saveIndex(core: CoreMemory): void {
    const fields = core.i32[(HEAD_INDEX_OFFSET + HEAD_FIELD_COUNT_OFFSET) >> 2];
    const end = HEAD_INDEX_OFFSET + HEAD_FIELDS_OFFSET + fields * FIELD_BYTES;
    this.#index = core.u8.slice(HEAD_INDEX_OFFSET, end);
  }

  restoreIndex(core: CoreMemory): void {
    core.u8.set(this.#index, HEAD_INDEX_OFFSET);
  }
}

/** Bytes of unknown number, in one piece. */
export class GrowingBytes {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Makes room for `bytes` bytes in all. */
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
