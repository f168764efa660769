import { FIELD_BYTES, NO_EXTENT } from '../../../assembly/layout.js';
import type { RequestInHand } from './request-in-hand.js';

/** Where the records of requests go that are too large for a slot. HTTP thread. */
export interface RecordRoom {
  /** A record of so many bytes lies in its slot. */
  fitsSlot(bytes: number): boolean;
  /** Bytes of the largest record that an extent has room for. */
  readonly mostBytes: number;
  /** An extent for a record of so many bytes, or NO_EXTENT if none can be had now. */
  take(bytes: number): number;
  give(extent: number): void;
  /** Writes field index, head and what there is of the body into an extent. Returns the address behind it. */
  write(extent: number, request: RequestInHand): number;
  /** The shared memory, to read sockets into. */
  readonly memory: Uint8Array;
}

/**
 * A request whose record is too large for a slot: it gets an extent once its head is known, and its body is read from the
 * socket right into that. HTTP thread.
 */
export class LargeRecord {
  /** The extent, until the request has it; or NO_EXTENT. */
  extent = NO_EXTENT;
  readonly bodyBytes: number;
  readonly #room: RecordRoom;
  /** Where the next byte of the body goes, and how many are still to come. */
  #at = 0;
  #left: number;

  /** @param left bytes of the body that are still to come; those that are here are written with the head */
  constructor(room: RecordRoom, bodyBytes: number, left: number) {
    this.#room = room;
    this.bodyBytes = bodyBytes;
    this.#left = left;
  }

  /** It has an extent: its body can be read. */
  get isPlaced(): boolean {
    return this.#at > 0;
  }

  /** Bytes that are still to come of a body that has its place. */
  get missingBytes(): number {
    return this.isPlaced ? this.#left : 0;
  }

  get isWhole(): boolean {
    return this.isPlaced && this.#left === 0;
  }

  /** Takes an extent for the request, whose head is in hand. `false` if none can be had now. */
  place(request: RequestInHand): boolean {
    this.extent = this.#room.take(request.fieldCount * FIELD_BYTES + request.headBytes + this.bodyBytes);
    if (this.extent === NO_EXTENT) return false;
    this.#at = this.#room.write(this.extent, request);
    return true;
  }

  /** Copies what belongs to the body. Returns how many bytes that is. */
  copy(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#left);
    this.#room.memory.set(count === bytes.length ? bytes : bytes.subarray(0, count), this.#at);
    this.filled(count);
    return count;
  }

  /** Where the socket may read the rest of the body to; nothing more. */
  get target(): Uint8Array {
    return this.#room.memory.subarray(this.#at, this.#at + this.#left);
  }

  /** So many bytes of the target are filled. */
  filled(bytes: number): void {
    this.#at += bytes;
    this.#left -= bytes;
  }

  /** The extent is the request's from now on. */
  takeExtent(): number {
    const { extent } = this;
    this.extent = NO_EXTENT;
    return extent;
  }

  /** Gives back what no request has taken. */
  close(): void {
    if (this.extent !== NO_EXTENT) this.#room.give(this.takeExtent());
  }
}
