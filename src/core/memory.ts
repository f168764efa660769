import { readFileSync } from 'node:fs';
import { types } from 'node:util';
import {
  ALLOCATED_OFFSET,
  DYNAMIC_OFFSET,
  LINE_BYTES,
  MAGIC,
  MAGIC_OFFSET,
  MEMORY_BYTES_OFFSET,
  VERSION,
  VERSION_OFFSET,
} from '../../assembly/layout.js';
import { LoopShardError } from '../errors.js';
import { type CoreFunctions, compileCore, instantiateCore, type WasmMemory, type WasmModule } from './module.js';

const PAGE_BYTES = 65_536;
/** Addresses must stay non-negative as 32-bit integers. */
const MAX_MEMORY_BYTES = 2 ** 31 - PAGE_BYTES;

/** What one thread sends to another (by `postMessage` or `workerData`) so that both use the same core. */
export interface SharedCore {
  memory: WasmMemory;
  module: WasmModule;
}

/** Bytes from `start` up to `end`. */
export interface Arena {
  start: number;
  end: number;
}

/**
 * One block of shared memory, this thread's WASM instance over it, and this thread's views of it. The memory never grows,
 * so the views never go stale.
 */
export class CoreMemory {
  readonly buffer: SharedArrayBuffer;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u16: Uint16Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  /** The same bytes as a Buffer, for writing strings. */
  readonly bytes: Buffer<SharedArrayBuffer>;
  readonly wasm: CoreFunctions;
  readonly #shared: SharedCore;
  /** Where this thread allocates, if not from what is free for all. */
  readonly #arena: Arena | undefined;

  private constructor(shared: SharedCore, arena?: Arena) {
    this.#shared = shared;
    this.#arena = arena;
    this.buffer = shared.memory.buffer;
    this.u8 = new Uint8Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.bytes = Buffer.from(this.buffer);
    this.wasm = instantiateCore(shared.module, shared.memory);
  }

  /**
   * A new block.
   * @param bytes room for what will be allocated; the control area comes on top
   * @throws LoopShardError MEMORY_EXHAUSTED if the block would be larger than 2 GiB or cannot be had
   */
  static create(bytes: number): CoreMemory {
    const total = Math.ceil((DYNAMIC_OFFSET + bytes) / PAGE_BYTES) * PAGE_BYTES;
    if (!(total <= MAX_MEMORY_BYTES)) {
      throw new LoopShardError(
        'MEMORY_EXHAUSTED',
        `Cannot create shared memory of ${bytes} bytes: at most ${MAX_MEMORY_BYTES - DYNAMIC_OFFSET} are possible. Use fewer or smaller slots.`,
      );
    }
    const pages = total / PAGE_BYTES;
    const memory = allocatePages(pages);
    // The header leads: instances check nothing, so it is written before the first view is handed out.
    const header = new Int32Array(memory.buffer, 0, LINE_BYTES / 4);
    header[VERSION_OFFSET >> 2] = VERSION;
    header[MEMORY_BYTES_OFFSET >> 2] = total;
    header[ALLOCATED_OFFSET >> 2] = DYNAMIC_OFFSET;
    Atomics.store(header, MAGIC_OFFSET >> 2, MAGIC);
    return new CoreMemory({ memory, module: compileCore() });
  }

  /**
   * Another thread's block.
   * @param arena bytes that are this thread's alone, for it to allocate from; whoever comes after it may have them again
   * @throws LoopShardError LAYOUT_MISMATCH if it was not made by this version of LoopShard
   */
  static attach(shared: SharedCore, arena?: Arena): CoreMemory {
    const { buffer } = shared.memory;
    if (!types.isSharedArrayBuffer(buffer)) {
      throw new LoopShardError(
        'LAYOUT_MISMATCH',
        'Cannot attach to memory that is not shared. Pass what `share()` returned.',
      );
    }
    const header = new Int32Array(buffer, 0, LINE_BYTES / 4);
    const magic = Atomics.load(header, MAGIC_OFFSET >> 2);
    const version = header[VERSION_OFFSET >> 2];
    const bytes = header[MEMORY_BYTES_OFFSET >> 2];
    if (magic !== MAGIC || version !== VERSION || bytes !== buffer.byteLength) {
      throw new LoopShardError(
        'LAYOUT_MISMATCH',
        `The shared memory has magic ${magic}, version ${version} and ${bytes} bytes, but this copy of LoopShard expects ${MAGIC}, ${VERSION} and ${buffer.byteLength}. Make all threads load the same copy.`,
      );
    }
    return new CoreMemory(shared, arena && { ...arena });
  }

  /** What another thread needs to attach. */
  share(): SharedCore {
    return this.#shared;
  }

  /**
   * Room for `bytes` bytes on cache lines of its own, never given back; zeroed unless it comes from an arena. Any thread.
   * @throws LoopShardError MEMORY_EXHAUSTED
   */
  allocate(bytes: number): number {
    const rounded = Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
    if (this.#arena !== undefined) return allocateFrom(this.#arena, rounded);
    const word = ALLOCATED_OFFSET >> 2;
    for (;;) {
      const address = Atomics.load(this.i32, word);
      if (address + rounded > this.buffer.byteLength) throw exhausted(rounded, this.buffer.byteLength - address);
      if (Atomics.compareExchange(this.i32, word, address, address + rounded) === address) return address;
    }
  }
}

function allocateFrom(arena: Arena, bytes: number): number {
  const address = arena.start;
  if (address + bytes > arena.end) throw exhausted(bytes, arena.end - address);
  arena.start += bytes;
  return address;
}

function exhausted(wanted: number, left: number): LoopShardError {
  return new LoopShardError(
    'MEMORY_EXHAUSTED',
    `Cannot allocate ${wanted} bytes: ${left} bytes of the shared memory are left. Create it larger.`,
  );
}

function allocatePages(pages: number): WasmMemory {
  try {
    return new WebAssembly.Memory({ shared: true, initial: pages, maximum: pages });
  } catch (cause) {
    throw new LoopShardError(
      'MEMORY_EXHAUSTED',
      `Cannot reserve ${pages * PAGE_BYTES} bytes of shared memory. ${adviceOnAddressSpace()}`,
      { cause },
    );
  }
}

/** V8 reserves some 10 GiB of address space for each memory, whatever its size, up to Node.js 22: a limit of it is met first. */
function adviceOnAddressSpace(): string {
  const limit = addressSpaceLimit();
  if (limit === undefined) return 'Use fewer or smaller slots.';
  return `V8 reserves up to 10 GiB of address space for it, and the process is limited to ${limit} bytes: raise \`ulimit -v\`.`;
}

/** In bytes; undefined if there is none, or the system does not tell. */
function addressSpaceLimit(): string | undefined {
  try {
    return /^Max address space +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}
