import { TAPE_BYTES } from '../../assembly/json/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';

/** `utf8Write` is Node's own, without the argument checks of `write`, which cost as much as a short string. */
export interface FastBuffer extends Buffer<SharedArrayBuffer> {
  utf8Write(text: string, offset: number, bytes: number): number;
}

/** This thread's tape (assembly/json/layout.ts) in one core. */
export class Tape {
  readonly address: number;
  /** This thread is in the middle of a value: a toJSON method or a getter that writes JSON itself must not use the tape. */
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

  static readonly #tapes = new WeakMap<CoreMemory, Tape | null>();

  /** `undefined` if the core has no memory left for one. */
  static of(core: CoreMemory): Tape | undefined {
    let tape = Tape.#tapes.get(core);
    if (tape === undefined) {
      tape = unlessExhausted(() => new Tape(core)) ?? null;
      Tape.#tapes.set(core, tape);
    }
    return tape ?? undefined;
  }
}

/** What `allocate` returns, or `undefined` if the memory is exhausted, which is no reason for a writer to fail. */
export function unlessExhausted<T>(allocate: () => T): T | undefined {
  try {
    return allocate();
  } catch (error) {
    if (error instanceof LoopShardError && error.code === 'MEMORY_EXHAUSTED') return undefined;
    throw error;
  }
}

/** The method is undocumented; should it ever go, the documented one does the same. */
function withUtf8Write(buffer: Buffer<SharedArrayBuffer>): FastBuffer {
  const fast = buffer as FastBuffer;
  if (typeof fast.utf8Write === 'function') return fast;
  return Object.assign(buffer, {
    utf8Write: (text: string, offset: number, bytes: number) => buffer.write(text, offset, bytes, 'utf8'),
  });
}
