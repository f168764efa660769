import type { Node } from './plan.js';

/** The text of a prepared value that does not match, converted; `undefined` if there is no conversion. */
export function coerced(node: Node, value: unknown): string | undefined {
  switch (node.kind) {
    case 'string':
      return stringOf(value);
    case 'number':
      return numberOf(value, false);
    case 'integer':
      return numberOf(value, true);
    case 'boolean':
      return typeof value === 'object' && value !== null ? undefined : String(Boolean(value));
    case 'union':
      for (const branch of node.branches) {
        const text = coerced(branch, value);
        if (text !== undefined) return text;
      }
      return undefined;
    default:
      return undefined;
  }
}

function stringOf(value: unknown): string | undefined {
  if (value === null) return '""';
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? JSON.stringify(String(value))
    : undefined;
}

function numberOf(value: unknown, whole: boolean): string | undefined {
  const number =
    value === null ? 0 : typeof value === 'object' || typeof value === 'symbol' ? Number.NaN : Number(value);
  if (typeof value === 'string' && value.trim() === '') return undefined;
  if (!Number.isFinite(number)) return undefined;
  return JSON.stringify(whole ? Math.trunc(number) : number);
}
