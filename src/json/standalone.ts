import { CoreMemory } from '../core/memory.js';
import { unlessExhausted } from './tape.js';

/** Size of the region in which values are written if the caller provides no shared memory. */
const STAGING_BYTES = 256 * 1024;
/** Space for tapes, fragments and loans. Most of it is never touched, so it uses no physical memory. */
const CONSTANT_BYTES = 16 * 1024 * 1024;

/** A region of a core that this thread owns. */
export interface Staging {
  readonly core: CoreMemory;
  readonly start: number;
  readonly limit: number;
}

let kept: Staging | null | undefined;

/** Returns this thread's region for values that go to private memory; `undefined` if the system has no memory for it. */
export function staging(): Staging | undefined {
  if (kept === undefined) kept = unlessExhausted(create) ?? null;
  return kept ?? undefined;
}

function create(): Staging {
  const core = CoreMemory.create(STAGING_BYTES + CONSTANT_BYTES);
  const start = core.allocate(STAGING_BYTES);
  return { core, start, limit: start + STAGING_BYTES };
}

const LOAN_BYTES = 16 * 1024;
/** Maximum number of loans. Writers that are never finished keep their region; beyond the limit, writers get none. */
const MAX_LOANS = 256;
const loans: number[] = [];
const free: number[] = [];

/** A small borrowed region; `number` is the argument of `giveBack`. */
export interface Loan extends Staging {
  readonly number: number;
}

/** Borrows a small region for a writer without its own; `undefined` if all are in use or memory is exhausted. */
export function borrow(): Loan | undefined {
  const core = staging()?.core;
  if (core === undefined) return undefined;
  let number = free.pop();
  if (number === undefined && loans.length < MAX_LOANS) {
    const address = unlessExhausted(() => core.allocate(LOAN_BYTES));
    if (address !== undefined) number = loans.push(address) - 1;
  }
  if (number === undefined) return undefined;
  return { core, start: loans[number], limit: loans[number] + LOAN_BYTES, number };
}

export function giveBack(loan: Loan | undefined): void {
  if (loan !== undefined) free.push(loan.number);
}
