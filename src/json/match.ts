import { isDeepStrictEqual, types } from 'node:util';
import type { ArrayNode, Node, ObjectNode } from './plan.js';

/** Number, String, Boolean and BigInt objects as the primitives that JSON.stringify takes them for. */
export function unboxed(value: unknown): unknown {
  if (!types.isBoxedPrimitive(value)) return value;
  if (types.isNumberObject(value)) return Number(value);
  if (types.isStringObject(value)) return String(value);
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  if (types.isBigIntObject(value)) return BigInt.prototype.valueOf.call(value);
  return value;
}

/** What JSON.stringify writes in place of `value` (SerializeJSONProperty, steps 2 and 4). */
export function prepared(value: unknown, key: string): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'bigint' && typeof value !== 'function')) {
    return value;
  }
  const { toJSON } = value as { toJSON?: unknown };
  return unboxed(typeof toJSON === 'function' ? toJSON.call(value, key) : value);
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

export function constantIndex(values: readonly unknown[], value: unknown): number {
  const index = values.indexOf(value);
  if (index >= 0 || typeof value !== 'object' || value === null) return index;
  return values.findIndex((constant) => isDeepStrictEqual(constant, value));
}

/** Whether the prepared value matches; decides between the branches of a union. */
export function matches(node: Node, value: unknown, depth: number): boolean {
  if (depth < 0) return true;
  switch (node.kind) {
    case 'any':
      return !isAbsent(value);
    case 'never':
      return false;
    case 'null':
      return value === null;
    case 'boolean':
    case 'number':
      return typeof value === node.kind;
    case 'integer':
      return Number.isInteger(value) || typeof value === 'bigint';
    case 'string':
      return typeof value === 'string';
    case 'constant':
      return constantIndex(node.values, value) >= 0;
    case 'union':
      return node.branches.some((branch) => matches(branch, value, depth));
    case 'array':
      return isList(value) && listMatches(node, value, depth - 1);
    case 'object':
      return typeof value === 'object' && value !== null && !isList(value) && objectMatches(node, value, depth - 1);
  }
}

function listMatches(node: ArrayNode, list: ArrayLike<unknown>, depth: number): boolean {
  if (list.length < node.minItems || list.length > node.maxItems) return false;
  for (let i = 0; i < list.length; i++) {
    if (!matches(node.prefix[i] ?? node.items, prepared(list[i], String(i)), depth)) return false;
  }
  return true;
}

function objectMatches(node: ObjectNode, object: object, depth: number): boolean {
  for (const { key, required, node: part } of node.properties) {
    const value = prepared(ownValue(object, key), key);
    if (isAbsent(value) ? required : !matches(part, value, depth)) return false;
  }
  if (node.additional === 'omit' && node.patterns.length === 0) return true;
  for (const key of Object.keys(object)) {
    if (node.properties.some((property) => property.key === key)) continue;
    const part = extraNode(node, key);
    const value = prepared((object as Record<string, unknown>)[key], key);
    if (part === 'omit' || isAbsent(value)) continue;
    if (part === 'reject' || !matches(part, value, depth)) return false;
  }
  return true;
}

/** What holds for a property that `properties` does not list. */
export function extraNode(node: ObjectNode, key: string): ObjectNode['additional'] {
  for (const [pattern, part] of node.patterns) if (pattern.test(key)) return part;
  return node.additional;
}
