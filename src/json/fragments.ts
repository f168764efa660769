import { FRAGMENT_ALIGNMENT_BYTES, FRAGMENT_PADDING_BYTES, FRAGMENT_TEXT_OFFSET } from '../../assembly/json/layout.js';
import type { CoreMemory } from '../core/memory.js';

/** The constant text of one compiled writer: keys and punctuation, each text once. */
export class Fragments {
  readonly #indexes = new Map<string, number>();

  /** The number of `text` in what `place` returns. */
  index(text: string): number {
    const known = this.#indexes.get(text);
    if (known !== undefined) return known;
    const index = this.#indexes.size;
    this.#indexes.set(text, index);
    return index;
  }

  get size(): number {
    return this.#indexes.size;
  }

  /**
   * Writes the fragments to memory of their own and returns the address of each.
   * @throws LoopShardError MEMORY_EXHAUSTED
   */
  place(core: CoreMemory): number[] {
    const texts = [...this.#indexes.keys()].map((text) => Buffer.from(text));
    const sizes = texts.map((text) => strideOf(text.length));
    let address = core.allocate(sizes.reduce((sum, size) => sum + size, FRAGMENT_PADDING_BYTES));
    return texts.map((text, index) => {
      const at = address;
      core.i32[at >> 2] = text.length;
      core.bytes.set(text, at + FRAGMENT_TEXT_OFFSET);
      address += sizes[index];
      return at;
    });
  }
}

function strideOf(bytes: number): number {
  const used = FRAGMENT_TEXT_OFFSET + bytes;
  return Math.ceil(used / FRAGMENT_ALIGNMENT_BYTES) * FRAGMENT_ALIGNMENT_BYTES;
}
