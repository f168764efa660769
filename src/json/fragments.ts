import { FRAGMENT_ALIGNMENT_BYTES, FRAGMENT_PADDING_BYTES, FRAGMENT_TEXT_OFFSET } from '../../assembly/json/layout.js';
import type { CoreMemory } from '../core/memory.js';
import { unlessExhausted } from './tape.js';

/** Fragments in the memory of a core. */
export interface PlacedFragments {
  readonly address: number;
  /** Frees the memory once `owner`, which uses it, is garbage-collected. */
  hold(owner: object): void;
}

/** The constant text of a compiled writer: keys and punctuation, each text once. */
export class Fragments {
  readonly #offsets = new Map<string, number>();
  #bytes = 0;

  /** Returns the offset of `text` from the address that `place` returns, in bytes. */
  offset(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#bytes;
    this.#offsets.set(text, offset);
    this.#bytes += strideOf(Buffer.byteLength(text));
    return offset;
  }

  /**
   * Writes the fragments to memory of `core`.
   * @returns their address, or `undefined` if the core has no memory left
   */
  place(core: CoreMemory): PlacedFragments | undefined {
    const memory = FragmentMemory.of(core);
    const block = memory.take(this.#bytes + FRAGMENT_PADDING_BYTES);
    if (block === undefined) return undefined;
    for (const [text, offset] of this.#offsets) {
      const at = block.address + offset;
      core.i32[at >> 2] = core.bytes.write(text, at + FRAGMENT_TEXT_OFFSET);
    }
    return { address: block.address, hold: (owner) => memory.hold(block, owner) };
  }
}

function strideOf(bytes: number): number {
  const used = FRAGMENT_TEXT_OFFSET + bytes;
  return Math.ceil(used / FRAGMENT_ALIGNMENT_BYTES) * FRAGMENT_ALIGNMENT_BYTES;
}

/** The smallest block, as a power of two. */
const MIN_BLOCK_SHIFT = 8;

interface Block {
  readonly address: number;
  readonly shift: number;
}

/** The memory for fragments in a core: blocks with sizes of powers of two, reused once their owners are garbage-collected. */
class FragmentMemory {
  static readonly #memories = new WeakMap<CoreMemory, FragmentMemory>();
  readonly #core: CoreMemory;
  /** Free blocks, by the binary logarithm of their size. */
  readonly #free: number[][] = [];
  readonly #owners = new FinalizationRegistry<Block>(({ address, shift }) => this.#blocks(shift).push(address));

  private constructor(core: CoreMemory) {
    this.#core = core;
  }

  static of(core: CoreMemory): FragmentMemory {
    let memory = FragmentMemory.#memories.get(core);
    if (memory === undefined) FragmentMemory.#memories.set(core, (memory = new FragmentMemory(core)));
    return memory;
  }

  take(bytes: number): Block | undefined {
    const shift = Math.max(MIN_BLOCK_SHIFT, 32 - Math.clz32(bytes - 1));
    const address = this.#blocks(shift).pop() ?? unlessExhausted(() => this.#core.allocate(2 ** shift));
    return address === undefined ? undefined : { address, shift };
  }

  hold(block: Block, owner: object): void {
    this.#owners.register(owner, block);
  }

  #blocks(shift: number): number[] {
    return (this.#free[shift] ??= []);
  }
}
