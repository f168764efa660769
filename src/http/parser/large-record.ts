import { FIELD_BYTES, NO_EXTENT } from '../../../assembly/layout.js';
import type { RequestInHand } from './request-in-hand.js';

/** Provides memory for the records of requests that are too large for a slot. HTTP thread. */
export interface RecordRoom {
  /** Whether a record of this size fits its slot. */
  fitsSlot(bytes: number): boolean;
  /** The largest record in bytes that fits an extent. */
  readonly mostBytes: number;
  /** Takes an extent for a record of this size; NO_EXTENT if none is available now. */
  take(bytes: number): number;
  give(extent: number): void;
  /** Writes field index, head and the available part of the body into an extent. Returns the address after it. */
  write(extent: number, request: RequestInHand): number;
  /** The shared memory, into which sockets read. */
  readonly memory: Uint8Array;
}

/**
 * A request whose record is too large for a slot: it gets an extent once its head is known, and its body is read from the socket directly
 * into that extent. HTTP thread.
 */
export class LargeRecord {
  /** The extent, until the request takes it; or NO_EXTENT. */
  extent = NO_EXTENT;
  readonly bodyBytes: number;
  #room: RecordRoom | undefined;
  /** Address of the next byte of the body, and number of missing bytes. */
  #at = 0;
  #left: number;

  /** @param left number of missing bytes of the body; the others are written with the head */
  constructor(bodyBytes: number, left: number) {
    this.bodyBytes = bodyBytes;
    this.#left = left;
  }

  /** Whether it has an extent, so that its body can be read. */
  get isPlaced(): boolean {
    return this.#at > 0;
  }

  /** Number of missing bytes of a body that has an extent. */
  get missingBytes(): number {
    return this.isPlaced ? this.#left : 0;
  }

  get isWhole(): boolean {
    return this.isPlaced && this.#left === 0;
  }

  /** What provides its memory, once it has an extent. */
  get room(): RecordRoom | undefined {
    return this.#room;
  }

  /** Takes an extent for the current request. `false` if none is available now. */
  place(request: RequestInHand, room: RecordRoom): boolean {
    this.extent = room.take(request.fieldCount * FIELD_BYTES + request.headBytes + this.bodyBytes);
    if (this.extent === NO_EXTENT) return false;
    this.#room = room;
    this.#at = room.write(this.extent, request);
    return true;
  }

  /** Copies the bytes that belong to the body. Returns how many. */
  copy(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#left);
    this.#room!.memory.set(count === bytes.length ? bytes : bytes.subarray(0, count), this.#at);
    this.filled(count);
    return count;
  }

  /** Where the socket may read the rest of the body, and nothing more. */
  get target(): Uint8Array {
    return this.#room!.memory.subarray(this.#at, this.#at + this.#left);
  }

  /** Records that `bytes` bytes of the target are filled. */
  filled(bytes: number): void {
    this.#at += bytes;
    this.#left -= bytes;
  }

  /** Passes the extent to the request. */
  takeExtent(): number {
    const { extent } = this;
    this.extent = NO_EXTENT;
    return extent;
  }

  /** Gives back an extent that no request has taken. */
  close(): void {
    if (this.extent !== NO_EXTENT) this.#room!.give(this.takeExtent());
  }
}
