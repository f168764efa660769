import { NO_EXTENT } from '../../../assembly/layout.js';
import { readPairs } from '../../contract/record-fields.js';
import type { CoreMemory } from '../../core/memory.js';
import { trimEnd } from '../../options/field-syntax.js';
import type { HeadIndex } from './head-index.js';
import type { Llhttp } from './llhttp.js';
import type { PartialMessage } from './partial-message.js';

/** The record of a request that is too large for a slot. */
export interface RecordInExtent {
  /** What provides the memory; undefined while it waits for an extent. */
  readonly room: object | undefined;
  /** Whether the body is complete. */
  readonly isWhole: boolean;
  readonly bodyBytes: number;
  /** Passes the extent to the request. */
  takeExtent(): number;
}

/** The parser's current request. HTTP thread only. */
export abstract class RequestInHand {
  /** Once the head is complete: index in ALL_METHODS. */
  method = -1;
  isHttp10 = false;
  /** Whether its body is still arriving, and is passed on in pieces. */
  isStreamed = false;
  protected readonly llhttp: Llhttp;
  protected readonly index: HeadIndex;
  /** What has arrived in earlier chunks. */
  protected partial: PartialMessage | undefined;
  /** Its record, if that is too large for a slot. */
  protected large: RecordInExtent | undefined;

  /** Addresses of the bytes behind a request without a body. */
  protected abstract get following(): { start: number; end: number };

  constructor(llhttp: Llhttp, index: HeadIndex) {
    this.llhttp = llhttp;
    this.index = index;
  }

  /** When its first chunk arrived, by `performance.now()`; undefined if it arrived in one chunk, just now. */
  get arrivedAtMs(): number | undefined {
    return this.partial?.arrivedAtMs;
  }

  get keepAlive(): boolean {
    return this.index.keepAlive;
  }

  /** Whether the client offers another protocol. HTTP/1.0 cannot (RFC 9110 section 7.8). */
  get upgrade(): boolean {
    return this.index.upgrade && !this.isHttp10;
  }

  get targetBytes(): number {
    return this.index.targetBytes;
  }

  /** In origin-form, or `*`. */
  get target(): string {
    return this.headSource.latin1Slice(this.headStart, this.headStart + this.targetBytes);
  }

  /** The target up to the query, not decoded. */
  get path(): string {
    const { target } = this;
    const end = target.indexOf('?');
    return end < 0 ? target : target.slice(0, end);
  }

  /** Size of target, version and fields. */
  get headBytes(): number {
    return this.index.totalBytes;
  }

  /** Whether the field index lies in the memory of `core`. */
  isIndexedIn(core: CoreMemory): boolean {
    return this.index.isIn(core);
  }

  /** The field index: a view of the core's memory. */
  fields(): Uint8Array {
    return this.index.entries();
  }

  get fieldCount(): number {
    return this.index.fieldCount;
  }

  /** The buffer that contains the head, from `headStart` on. */
  get headSource(): Buffer {
    return this.partial === undefined ? this.llhttp.bytes : this.partial.head;
  }

  get headStart(): number {
    return this.partial === undefined ? this.index.base : 0;
  }

  /**
   * Copies the head into shared memory, in whole words: up to three bytes after it change too.
   * @param address a multiple of four
   */
  copyHead({ u8, i32 }: CoreMemory, address: number): void {
    const { headBytes, headStart } = this;
    if (this.partial !== undefined) {
      u8.set(this.partial.head.subarray(0, headBytes), address);
      return;
    }
    const { memory, words } = this.llhttp;
    if ((headStart & 3) !== 0) {
      u8.set(new Uint8Array(memory, headStart, headBytes), address);
      return;
    }
    // Aligned alike after `GET ` at the start of a chunk. `set` takes several times as long to copy into shared memory.
    const offset = (address - headStart) >> 2;
    const end = (headStart + headBytes + 3) >> 2;
    for (let word = headStart >> 2; word < end; word++) i32[word + offset] = words[word];
  }

  /** Size of the body in the record: 0 for a streamed body. */
  get bodyBytes(): number {
    if (this.isStreamed) return 0;
    if (this.large?.isWhole === true) return this.large.bodyBytes;
    return this.partial === undefined ? this.index.bodyBytes : this.partial.body.length;
  }

  /**
   * Makes bytes that have arrived behind a request without a body its body: its connection may change to another protocol. They remain
   * bytes to parse. Within `onRequest`.
   * @param most maximum number of bytes
   * @returns how many there are
   */
  takeFollowing(most: number): number {
    const { start, end } = this.following;
    const bytes = Math.min(most, end - start);
    if (this.large !== undefined || bytes <= 0) return 0;
    if (this.partial !== undefined) this.partial.body.append(this.llhttp.bytes.subarray(start, start + bytes));
    else if (!this.index.noteBody(start, bytes)) return 0;
    return bytes;
  }

  /** A view of the body. */
  body(): Buffer {
    if (this.partial !== undefined) return this.partial.body.view();
    const start = this.index.bodyBase;
    return this.llhttp.bytes.subarray(start, start + this.index.bodyBytes);
  }

  /** What provides the memory of a record that is too large for a slot. */
  get room(): object | undefined {
    return this.large?.room;
  }

  /** The extent that contains the record, or NO_EXTENT. The caller owns it from now on. */
  takeExtent(): number {
    return this.large === undefined ? NO_EXTENT : this.large.takeExtent();
  }

  /**
   * The value of the first field of this name, or undefined. Slow: for rare fields.
   * @param name in lower case
   */
  field(name: string): string | undefined {
    const field = this.#find(name, 0);
    return field < 0 ? undefined : this.#value(field);
  }

  /**
   * The values of all fields of this name as one list (RFC 9110 section 5.3), or undefined. Slow: for rare fields.
   * @param name in lower case
   */
  list(name: string): string | undefined {
    let list: string | undefined;
    for (let field = this.#find(name, 0); field >= 0; field = this.#find(name, field + 1)) {
      const value = this.#value(field);
      list = list === undefined ? value : `${list}, ${value}`;
    }
    return list;
  }

  /** Names and values of all fields as they were sent, one after the other. Slow. */
  pairs(): string[] {
    const { headSource, headStart, headBytes, fieldCount } = this;
    const { buffer, byteOffset, length } = this.fields();
    const head = headSource.latin1Slice(headStart, headStart + headBytes);
    return readPairs(head, new Uint16Array(buffer, byteOffset, length >> 1), 0, fieldCount);
  }

  /** The number of the next field of this name from `from` on, or -1. */
  #find(name: string, from: number): number {
    const { headSource, headStart, index } = this;
    for (let field = from; field < index.fieldCount; field++) {
      if (index.nameBytes(field) !== name.length) continue;
      const start = headStart + index.nameOffset(field);
      if (headSource.latin1Slice(start, start + name.length).toLowerCase() === name) return field;
    }
    return -1;
  }

  #value(field: number): string {
    const start = this.headStart + this.index.valueOffset(field);
    return trimEnd(this.headSource.latin1Slice(start, start + this.index.valueBytes(field)));
  }
}
