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

const LOAN_BYTES = 16 * 1024;
/** Writers that were never finished keep their region; the others then do without one. */
const MAX_LOANS = 256;
const loans: number[] = [];
const free: number[] = [];

/** A small region for a writer that was given none. `number` is -1, and the region empty, when all are out. */
export function borrow(): Staging & { number: number } {
  const { core } = staging(0)!;
  let number = free.pop();
  if (number === undefined && loans.length < MAX_LOANS) number = loans.push(core.allocate(LOAN_BYTES)) - 1;
  if (number === undefined) return { core, start: 0, limit: 0, number: -1 };
  return { core, start: loans[number], limit: loans[number] + LOAN_BYTES, number };
}

export function giveBack(number: number): void {
  if (number >= 0) free.push(number);
}
