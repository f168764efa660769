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

/** Sent from one thread to another by `postMessage` or `workerData`, so that both use the same core. */
export interface SharedCore {
  /** The shared memory. */
  memory: WasmMemory;
  /** The compiled module, which each thread instantiates. */
  module: WasmModule;
}

/** An address range, without `end`. */
export interface Arena {
  start: number;
  end: number;
}

/**
 * A block of shared memory, with this thread's WASM instance and views. The memory never grows, so the views stay valid.
 */
export class CoreMemory {
  /** The bytes of the shared memory. */
  readonly buffer: SharedArrayBuffer;
  /** The same bytes. */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  /** The same bytes as 16-bit words. */
  readonly u16: Uint16Array<SharedArrayBuffer>;
  /** The same bytes as 32-bit words, for `Atomics`. */
  readonly i32: Int32Array<SharedArrayBuffer>;
  /** The same bytes as a Buffer, for writing strings. */
  readonly bytes: Buffer<SharedArrayBuffer>;
  /** Functions of the instance of this thread. */
  readonly wasm: CoreFunctions;
  readonly #shared: SharedCore;
  /** Where this thread allocates, if not from the common free space. */
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
   * Creates a block.
   * @param bytes space for allocations, without the control area
   * @throws LoopShardError MEMORY_EXHAUSTED if the block would be larger than 2 GiB or cannot be reserved
   */
  static create(bytes: number): CoreMemory {
    const total = Math.ceil((DYNAMIC_OFFSET + bytes) / PAGE_BYTES) * PAGE_BYTES;
    if (!(total <= MAX_MEMORY_BYTES)) {
      throw new LoopShardError(
        'MEMORY_EXHAUSTED',
        `Cannot create shared memory of ${bytes} bytes: the maximum is ${MAX_MEMORY_BYTES - DYNAMIC_OFFSET}. Use fewer or smaller slots.`,
      );
    }
    const pages = total / PAGE_BYTES;
    const memory = allocatePages(pages);
    // Instances do not check the memory, so the header is written before the first one is created.
    const header = new Int32Array(memory.buffer, 0, LINE_BYTES / 4);
    header[VERSION_OFFSET >> 2] = VERSION;
    header[MEMORY_BYTES_OFFSET >> 2] = total;
    header[ALLOCATED_OFFSET >> 2] = DYNAMIC_OFFSET;
    Atomics.store(header, MAGIC_OFFSET >> 2, MAGIC);
    return new CoreMemory({ memory, module: compileCore() });
  }

  /**
   * Attaches to another thread's block.
   * @param arena range from which only this thread allocates; a successor of the thread may reuse it
   * @throws LoopShardError LAYOUT_MISMATCH if it was not created by this version of LoopShard
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

  /** Returns what another thread needs to attach. */
  share(): SharedCore {
    return this.#shared;
  }

  /**
   * Allocates `bytes` bytes on separate cache lines. They are never freed. Zeroed unless they come from an arena. Any thread.
   * @returns the address
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
    `Cannot allocate ${wanted} bytes: only ${left} bytes of the shared memory are left. Create a larger one.`,
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

/** Up to Node.js 22, V8 reserves about 10 GiB of address space for each memory of any size, so a limit of it is reached first. */
function adviceOnAddressSpace(): string {
  const limit = addressSpaceLimit();
  if (limit === undefined) return 'Use fewer or smaller slots.';
  return `V8 reserves up to 10 GiB of address space for it, and the process is limited to ${limit} bytes: raise \`ulimit -v\`.`;
}

/** The limit in bytes; `undefined` if none is set or it cannot be read. */
function addressSpaceLimit(): string | undefined {
  try {
    return /^Max address space +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}
