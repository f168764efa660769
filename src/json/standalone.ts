import { CoreMemory } from '../core/memory.js';

/** Where values are formed when nobody provides shared memory: sizes of one kind of region after the other, in bytes. */
const SIZES = [256 * 1024, 4 * 1024 * 1024, 64 * 1024 * 1024, 1024 * 1024 * 1024];
/** Regions up to this size are kept for the next value. */
const KEPT_SIZES = 2;
/** Room for tapes and fragments; most of it is never touched, so it takes no memory. */
const CONSTANT_BYTES = 16 * 1024 * 1024;

/** A region of a core that is this thread's own. */
export interface Staging {
  readonly core: CoreMemory;
  readonly start: number;
  readonly limit: number;
}

const kept: (Staging | undefined)[] = [];

/** Region number `size`, from 0, or `undefined` if there is none so large. */
export function staging(size: number): Staging | undefined {
  if (size >= SIZES.length) return undefined;
  const known = kept[size];
  if (known !== undefined) return known;
  const bytes = SIZES[size];
  const core = CoreMemory.create(bytes + CONSTANT_BYTES);
  const start = core.allocate(bytes);
  const made = { core, start, limit: start + bytes };
  if (size < KEPT_SIZES) kept[size] = made;
  return made;
}
