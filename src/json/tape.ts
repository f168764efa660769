import {
  FRAGMENT_TEXT_OFFSET,
  TAPE_BYTES,
  TAPE_CHARS_OFFSET,
  TAPE_NUMBERS_OFFSET,
  TAPE_TOKENS_OFFSET,
  TOKEN_CHARS,
  TOKEN_FALSE,
  TOKEN_INT32,
  TOKEN_INT32S,
  TOKEN_KIND_MASK,
  TOKEN_NULL,
  TOKEN_NUMBER,
  TOKEN_NUMBERS,
  TOKEN_RAW,
  TOKEN_TEXT,
  TOKEN_TRUE,
} from '../../assembly/json/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';

/** `utf8Write` is an internal method without the argument checks of `write`, which take as long as a short string. */
export interface FastBuffer extends Buffer<SharedArrayBuffer> {
  utf8Write(text: string, offset: number, bytes: number): number;
}

/** This thread's tape (assembly/json/layout.ts) in a core. */
export class Tape {
  readonly address: number;
  /** A value is being written: a toJSON method or a getter that writes JSON itself must not use the tape. */
  busy = false;
  readonly core: CoreMemory;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly bytes: FastBuffer;

  private constructor(core: CoreMemory) {
    this.core = core;
    this.address = core.allocate(TAPE_BYTES);
    this.f64 = new Float64Array(core.buffer);
    this.bytes = withUtf8Write(core.bytes);
  }

  /**
   * Does in JavaScript what `jsonRun` does: for text that it does not support (lone surrogates, pairs split between strings) and for
   * regions that are too small for one tape.
   * @param words number of words on the tape
   * @param text the concatenated strings of its tokens
   */
  json(words: number, text: string): string {
    const { i32, bytes } = this.core;
    let at = (this.address + TAPE_TOKENS_OFFSET) >> 2;
    const end = at + words;
    let number = (this.address + TAPE_NUMBERS_OFFSET) >> 3;
    let chars = this.address + TAPE_CHARS_OFFSET;
    let unit = 0;
    const take = (units: number) => text.slice(unit, (unit += units));
    let json = '';
    while (at < end) {
      const token = i32[at++];
      const fragment = token & ~TOKEN_KIND_MASK;
      if (fragment !== 0) {
        const start = fragment + FRAGMENT_TEXT_OFFSET;
        json += bytes.toString('utf8', start, start + i32[fragment >> 2]);
      }
      switch (token & TOKEN_KIND_MASK) {
        case TOKEN_INT32:
          json += i32[at++];
          break;
        case TOKEN_NUMBER:
          json += JSON.stringify(this.f64[number++]);
          break;
        case TOKEN_TEXT:
          json += JSON.stringify(take(i32[at++]));
          break;
        case TOKEN_RAW:
          json += take(i32[at++]);
          break;
        case TOKEN_CHARS:
          json += JSON.stringify(bytes.toString('utf8', chars, (chars += i32[at++])));
          break;
        case TOKEN_TRUE:
          json += 'true';
          break;
        case TOKEN_FALSE:
          json += 'false';
          break;
        case TOKEN_NULL:
          json += 'null';
          break;
        case TOKEN_INT32S: {
          const count = i32[at++];
          json += i32.subarray(at, at + count).join();
          at += count;
          break;
        }
        case TOKEN_NUMBERS: {
          const count = i32[at++];
          json += Array.from(this.f64.subarray(number, number + count), (value) => JSON.stringify(value)).join();
          number += count;
          break;
        }
      }
    }
    return json;
  }

  static readonly #tapes = new WeakMap<CoreMemory, Tape | null>();

  /** Returns this thread's tape, or `undefined` if the core has no memory left for one. */
  static of(core: CoreMemory): Tape | undefined {
    let tape = Tape.#tapes.get(core);
    if (tape === undefined) {
      tape = unlessExhausted(() => new Tape(core)) ?? null;
      Tape.#tapes.set(core, tape);
    }
    return tape ?? undefined;
  }
}

/** Calls `allocate`, but returns `undefined` if the memory is exhausted, because writers work without it. */
export function unlessExhausted<T>(allocate: () => T): T | undefined {
  try {
    return allocate();
  } catch (error) {
    if (error instanceof LoopShardError && error.code === 'MEMORY_EXHAUSTED') return undefined;
    throw error;
  }
}

/** Adds `utf8Write` if it is missing: the method is undocumented, but a documented one does the same. */
function withUtf8Write(buffer: Buffer<SharedArrayBuffer>): FastBuffer {
  const fast = buffer as FastBuffer;
  if (typeof fast.utf8Write === 'function') return fast;
  return Object.assign(buffer, {
    utf8Write: (text: string, offset: number, bytes: number) => buffer.write(text, offset, bytes, 'utf8'),
  });
}
