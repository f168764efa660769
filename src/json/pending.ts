/**
 * Pending constant text, written together with the token that follows it. After the start of an array, or before the first property
 * that is present, it has two variants: `first` if `condition` is true, `rest` otherwise.
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
