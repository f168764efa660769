/**
 * Constant text that waits for the token which it will precede. Behind the start of an array, or before the first property
 * that is present, there are two candidates: `first` if `condition` holds, `rest` if not.
 */
export interface Pending {
  condition: string;
  first: string;
  rest: string;
}

export const NONE: Pending = { condition: '', first: '', rest: '' };
export function plain(text: string): Pending {
  return { condition: '', first: text, rest: text };
}

export function append(pending: Pending, text: string): Pending {
  return { condition: pending.condition, first: pending.first + text, rest: pending.rest + text };
}
