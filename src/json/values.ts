import { types } from 'node:util';

/** Number, String, Boolean and BigInt objects as the primitives that JSON.stringify takes them for. */
export function unboxed(value: unknown): unknown {
  if (!types.isBoxedPrimitive(value)) return value;
  if (types.isNumberObject(value)) return Number(value);
  if (types.isStringObject(value)) return String(value);
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  if (types.isBigIntObject(value)) return BigInt.prototype.valueOf.call(value);
  return value;
}

/**
 * A value whose `toJSON` was called: what it was and what it became. Dates need both, and no `toJSON` may be called twice.
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

/** What JSON.stringify writes in place of `value` (SerializeJSONProperty, steps 2 and 4). */
export function prepared(value: unknown, key: string): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'bigint' && typeof value !== 'function')) {
    return value;
  }
  const { toJSON } = value as { toJSON?: unknown };
  return unboxed(typeof toJSON === 'function' ? toJSON.call(value, key) : value);
}

/** `prepared`, for a value that is looked at again: it remembers that `toJSON` was called. */
export function converted(value: unknown, key: string): unknown {
  if (value instanceof Converted || typeof value === 'bigint') return value;
  const json = prepared(value, key);
  return json === value || isAbsent(json) ? json : new Converted(value, json);
}

/** What `value` was before its `toJSON` was called, if that has happened. */
export function original(value: unknown): unknown {
  return value instanceof Converted ? value.raw : value;
}

/** Values that JSON.stringify leaves out of objects. */
export function isAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'function' || typeof value === 'symbol';
}

/** What JSON.stringify sees of a property: own and enumerable. */
export function ownValue(object: object, key: string): unknown {
  return Object.prototype.propertyIsEnumerable.call(object, key) ? (object as Record<string, unknown>)[key] : undefined;
}

/** Typed arrays count as arrays: that is how vectors come. */
export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || types.isTypedArray(value);
}

/**
 * A copy of a prepared value in which every getter was read and every `toJSON` called once, in JSON.stringify's order.
 * Judging and writing it runs no code of the value's.
 */
export function settled(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || types.isTypedArray(value)) return value;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    const { length } = value;
    for (let i = 0; i < length; i++) list.push(settledPart(value[i], String(i)));
    return list;
  }
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const part = settledPart((value as Record<string, unknown>)[key], key);
    if (isAbsent(part)) continue;
    // By definition, not by assignment: `__proto__` is a key like any other.
    if (key === '__proto__') Object.defineProperty(copy, key, { value: part, enumerable: true });
    else copy[key] = part;
  }
  return copy;
}

function settledPart(value: unknown, key: string): unknown {
  const taken = converted(value, key);
  return taken instanceof Converted ? new Converted(taken.raw, settled(taken.json)) : settled(taken);
}

/** Whether two JSON values are equal; numbers by their value. */
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
