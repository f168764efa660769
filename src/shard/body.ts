import { LoopShardError } from '../errors.js';
import type { CompiledWriter } from '../json/compile.js';
import type { ShardContext } from './context.js';

/** UTF-8 needs at most this many bytes for a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

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
  write(slot: number, body: string | Uint8Array, at: number, limit: number): number {
    const room = limit - at;
    this.transferred = !(typeof body === 'string' ? textFits(body, room) : body.length <= room);
    // A copy: what is transferred is lost to the sender.
    if (this.transferred) return this.transfer(slot, typeof body === 'string' ? body : Uint8Array.from(body));
    const { u8, bytes } = this.#context.core;
    if (typeof body === 'string') return this.checkLimit(bytes.utf8Write(body, at, room));
    u8.set(body, at);
    return this.checkLimit(body.length);
  }

  /**
   * A value, by the writer of its schema or as JSON.stringify has it.
   * @throws LoopShardError RESPONSE_INVALID, RESPONSE_TOO_LARGE, VALUE_MISMATCH; whatever `toJSON` throws
   */
  writeJson(slot: number, value: unknown, writer: CompiledWriter | undefined, at: number, limit: number): number {
    if (writer === undefined) return this.write(slot, stringify(value), at, limit);
    const end = writer.write(this.#context.core, at, limit, value);
    this.transferred = end === 0;
    return this.transferred ? this.transfer(slot, writer.toBytes(value)) : this.checkLimit(end - at);
  }

  /**
   * Sends a body on its own; bytes are lost to the caller.
   * @returns how many there were
   * @throws LoopShardError RESPONSE_TOO_LARGE
   */
  transfer(slot: number, body: string | Uint8Array): number {
    // Before anything is made of what is too large; and afterwards the body has no length any more.
    const bytes = this.checkLimit(typeof body === 'string' ? Buffer.byteLength(body) : body.length);
    const own = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    this.#context.transfers.send(slot, own as Uint8Array<ArrayBuffer>);
    return bytes;
  }

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

function stringify(value: unknown): string {
  if (isStream(value)) {
    throw new LoopShardError(
      'RESPONSE_INVALID',
      'The handler returned a stream, which this version cannot send; return bytes, a string or a JSON value.',
    );
  }
  const json = JSON.stringify(value);
  if (json !== undefined) return json;
  throw new LoopShardError(
    'RESPONSE_INVALID',
    `The handler returned a ${typeof value}, which JSON cannot carry; return bytes, a string or a JSON value.`,
  );
}

function isStream(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
