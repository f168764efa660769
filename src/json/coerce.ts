import { BOOLEAN, FRACTION, INTEGER, STRING } from './parts.js';

/**
 * Converts a prepared value of another type to the first of string, number and boolean that the schema accepts, and returns its JSON
 * text; `undefined` if no conversion is possible.
 * @param types types that the schema accepts
 */
export function coerced(types: number, value: unknown): string | undefined {
  const text = types & STRING ? stringOf(value) : undefined;
  if (text !== undefined) return text;
  const number = types & INTEGER ? numberOf(value, (types & FRACTION) === 0) : undefined;
  if (number !== undefined) return number;
  const isScalar = typeof value !== 'object' || value === null;
  return types & BOOLEAN && isScalar ? String(Boolean(value)) : undefined;
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
