import { types } from 'node:util';
import { mayBeOpaque, withTagOf } from './opaque.js';

/** Converts Number, String, Boolean and BigInt objects to primitives, like JSON.stringify. */
export function unboxed(value: unknown): unknown {
  if (!types.isBoxedPrimitive(value)) return value;
  if (types.isNumberObject(value)) return Number(value);
  if (types.isStringObject(value)) return String(value);
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  if (types.isBigIntObject(value)) return BigInt.prototype.valueOf.call(value);
  return value;
}

/**
 * A value whose `toJSON` was called, with the original and the result. Dates need both, and `toJSON` must not be called twice.
 * JSON.stringify writes it as `json`.
 */
export class Converted {
  constructor(
    readonly raw: unknown,
    readonly json: unknown,
  ) {}

  toJSON(): unknown {
    return this.json;
  }
}

/** Returns the value that JSON.stringify writes in place of `value` (SerializeJSONProperty, steps 2 and 4). */
export function prepared(value: unknown, key: string): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'bigint' && typeof value !== 'function')) {
    return value;
  }
  const { toJSON } = value as { toJSON?: unknown };
  return unboxed(typeof toJSON === 'function' ? toJSON.call(value, key) : value);
}

/** Like `prepared`, for a value that is read again later: the result remembers that `toJSON` was called. */
export function converted(value: unknown, key: string): unknown {
  if (value instanceof Converted || typeof value === 'bigint') return value;
  const json = prepared(value, key);
  return json === value || isAbsent(json) ? json : new Converted(value, json);
}

/** Returns the original of a converted value; other values unchanged. */
export function original(value: unknown): unknown {
  return value instanceof Converted ? value.raw : value;
}

/** Whether JSON.stringify omits the value from objects. */
export function isAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'function' || typeof value === 'symbol';
}

/** Returns the value of a property if it is own and enumerable, as JSON.stringify does. */
export function ownValue(object: object, key: string): unknown {
  return Object.prototype.propertyIsEnumerable.call(object, key) ? (object as Record<string, unknown>)[key] : undefined;
}

/** Whether a value is written as an array. Typed arrays count as arrays, so that vectors can be written. */
export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || types.isTypedArray(value);
}

/**
 * Copies a prepared value. Every getter is read and every `toJSON` called once, in JSON.stringify's order, so that judging and writing
 * the copy runs no code of the value.
 */
export function settled(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || types.isTypedArray(value)) return value;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    const { length } = value;
    for (let i = 0; i < length; i++) list.push(settledPart(value[i], String(i)));
    return list;
  }
  const copy: Record<string, unknown> = mayBeOpaque(value) ? withTagOf(value) : {};
  for (const key of Object.keys(value)) {
    const part = settledPart((value as Record<string, unknown>)[key], key);
    if (isAbsent(part)) continue;
    // Defined instead of assigned, because assigning `__proto__` would set the prototype.
    if (key === '__proto__') Object.defineProperty(copy, key, { value: part, enumerable: true });
    else copy[key] = part;
  }
  return copy;
}

function settledPart(value: unknown, key: string): unknown {
  const taken = converted(value, key);
  return taken instanceof Converted ? new Converted(taken.raw, settled(taken.json)) : settled(taken);
}

/** Whether two JSON values are equal. Numbers and BigInts are compared by value. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'bigint' || typeof b === 'bigint') {
    // biome-ignore lint/suspicious/noDoubleEquals: 1n and 1 are the same JSON number
    return (typeof a === 'number' || typeof b === 'number') && a == b;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isList(a) || isList(b)) {
    return isList(a) && isList(b) && a.length === b.length && Array.from(a).every((item, i) => jsonEqual(item, b[i]));
  }
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && jsonEqual((a as never)[key], (b as never)[key]))
  );
}
