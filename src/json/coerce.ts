import { BOOLEAN, FRACTION, INTEGER, STRING } from './parts.js';

/**
 * The text of a prepared value of another type, converted to the first of string, number and boolean that the schema
 * takes; `undefined` if there is no conversion.
 * @param types that the schema takes
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
