import { LoopShardError } from '../../errors.js';
import type { CompiledWriter } from '../../json/compile.js';
import type { ShardContext } from '../context.js';

/** UTF-8 needs at most this many bytes for a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

/** Where a body goes. */
export interface BodyPlace {
  slot: number;
  /** Of the request. */
  sequence: number;
  bodyStart: number;
  limit: number;
  /** The body is counted and not sent. */
  isHead: boolean;
}

const byteLengthOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'byteLength')!.get!;

/** Writes response bodies where they are sent from, or sends them by transfer if they do not fit. Shard. */
export class BodyWriter {
  /** Whether the last body went by transfer. */
  transferred = false;
  readonly #context: ShardContext;

  constructor(context: ShardContext) {
    this.#context = context;
  }

  /**
   * Bytes as they are, or text as UTF-8.
   * @returns how many bytes the body has
   * @throws LoopShardError RESPONSE_TOO_LARGE
   */
  write(place: BodyPlace, body: string | Uint8Array): number {
    this.transferred = false;
    const room = place.limit - place.bodyStart;
    const { u8, bytes } = this.#context.core;
    if (typeof body === 'string') {
      if (textFits(body, room)) return this.checkLimit(bytes.utf8Write(body, place.bodyStart, room));
      this.checkLimit(Buffer.byteLength(body));
      return this.#transfer(place, new TextEncoder().encode(body) as Uint8Array<ArrayBuffer>);
    }
    // Not the property, which a subclass can change: it is what `set` copies.
    const length = this.checkLimit(byteLengthOf.call(body));
    if (length <= room) u8.set(body, place.bodyStart);
    else {
      // A copy: what is transferred is lost to the sender.
      const copy = new Uint8Array(length);
      copy.set(body);
      this.#transfer(place, copy);
    }
    return length;
  }

  /**
   * A value, by the writer of its schema or as JSON.stringify has it.
   * @throws LoopShardError RESPONSE_INVALID, RESPONSE_TOO_LARGE, VALUE_MISMATCH; whatever `toJSON` throws
   */
  writeJson(place: BodyPlace, value: unknown, writer: CompiledWriter | undefined): number {
    if (writer === undefined) return this.write(place, stringify(value));
    this.transferred = false;
    const end = writer.writeOrSpill(this.#context.core, place.bodyStart, place.limit, value);
    return typeof end === 'number' ? this.checkLimit(end - place.bodyStart) : this.#transfer(place, end);
  }

  /** What a JSON writer has written, at its place or elsewhere. */
  writeWritten(place: BodyPlace, body: Uint8Array, inPlace: boolean): number {
    this.transferred = false;
    return inPlace ? this.checkLimit(body.length) : this.#transfer(place, body as Uint8Array<ArrayBuffer>);
  }

  /**
   * Sends a body on its own; the bytes are lost to the caller.
   * @returns how many there were
   * @throws LoopShardError RESPONSE_TOO_LARGE
   */
  #transfer(place: BodyPlace, body: Uint8Array<ArrayBuffer>): number {
    const length = this.checkLimit(body.length);
    this.transferred = !place.isHead;
    if (this.transferred) this.#context.transfers.send(place.slot, place.sequence, body);
    return length;
  }

  /** @throws LoopShardError RESPONSE_TOO_LARGE */
  checkLimit(bytes: number): number {
    const limit = this.#context.responseLimitBytes;
    if (bytes <= limit) return bytes;
    throw new LoopShardError(
      'RESPONSE_TOO_LARGE',
      `The response has ${bytes} bytes, and responseLimitBytes is ${limit}; send less, or raise the limit.`,
    );
  }
}

function textFits(text: string, room: number): boolean {
  return text.length * MAX_BYTES_PER_UNIT <= room || (text.length <= room && Buffer.byteLength(text) <= room);
}

/** @throws LoopShardError RESPONSE_INVALID; whatever `toJSON` throws */
export function stringify(value: unknown): string {
  const json = JSON.stringify(value);
  if (json !== undefined) return json;
  throw new LoopShardError(
    'RESPONSE_INVALID',
    `The handler returned a ${typeof value}, which JSON cannot carry; return bytes, a string or a JSON value.`,
  );
}
