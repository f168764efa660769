import { types } from 'node:util';
import { coerced } from './coerce.js';
import { Judge, typeOf, UNSETTLED } from './judge.js';
import {
  explained,
  isStackOverflow,
  mismatch,
  missing,
  notAllowed,
  opaqueAt,
  tooDeep,
  wanted,
  wrongLength,
} from './mismatch.js';
import { findOpaque, opaqueKind } from './opaque.js';
import { ARRAY, INTEGER, NUMBER, OBJECT, STRING } from './parts.js';
import { type ArrayShape, extraOf, type Node, type ObjectShape, type Planner } from './plan.js';
import type { WriterOptions } from './schema.js';
import { Selector } from './select.js';
import { Converted, converted, isAbsent, jsonEqual, original, ownValue, prepared, settled } from './values.js';

export type LaneOptions = Required<Pick<WriterOptions, 'coerce' | 'maxDepth' | 'opaque'>>;

/**
 * The slow reference implementation. It writes what generated code does not support (objects with their own toJSON, proxies, unions that
 * only the complete value decides) and finds the path of mismatches. Generated code must produce the same output.
 */
export class PlainLane {
  readonly planner: Planner;
  readonly selector: Selector;
  readonly #judge: Judge;
  readonly #root: Node;
  readonly #coerce: boolean;
  readonly rejectsOpaque: boolean;
  readonly #maxDepth: number;

  constructor(planner: Planner, root: Node, { coerce, maxDepth, opaque }: LaneOptions) {
    this.planner = planner;
    this.rejectsOpaque = opaque === 'reject';
    this.#judge = new Judge(maxDepth);
    this.selector = new Selector(planner, this.#judge);
    this.#root = root;
    this.#coerce = coerce;
    this.#maxDepth = maxDepth;
  }

  /** @throws LoopShardError VALUE_MISMATCH, DEPTH_EXCEEDED */
  text(value: unknown): string {
    this.finish();
    try {
      return this.part(this.#root, value, '');
    } finally {
      this.finish();
    }
  }

  /** Called after a value was written: clears what was cached about its parts. */
  finish(): void {
    this.#judge.reset();
  }

  /** Returns the text of a part of the value. Paths in errors begin at the part. */
  part(node: Node, value: unknown, key: string): string {
    const path: string[] = [];
    try {
      const text = this.#text(node, value, key, path);
      if (text === undefined) throw mismatch(path, value, 'a JSON value');
      return text;
    } catch (error) {
      if (isStackOverflow(error)) throw tooDeep(path, this.#maxDepth);
      throw error;
    }
  }

  /** Returns the text to write for an absent required property, if any. */
  absent(node: Node): string | undefined {
    return this.#coerce ? coerced(this.planner.accepted(node).types, null) : undefined;
  }

  #text(node: Node, raw: unknown, key: string, path: string[]): string | undefined {
    if (path.length > this.#maxDepth) throw tooDeep(path, this.#maxDepth);
    if (this.planner.isAny(node)) return untyped(raw, key, path, this.rejectsOpaque);
    const accepted = this.planner.accepted(node);
    // Before toJSON is called, because BigInt.prototype.toJSON may be patched, and the digits are the only valid text.
    if (typeof raw === 'bigint' && takesBigInts(accepted.types)) return String(raw);
    const date = accepted.types & STRING ? this.#date(node, raw) : undefined;
    if (date !== undefined) return date;
    const value = raw instanceof Converted ? raw.json : prepared(raw, key);
    const type = typeOf(value);
    const text =
      type === OBJECT || type === ARRAY
        ? this.#container(node, type, value as object, path)
        : this.#scalar(node, type, value);
    if (text !== undefined) return text;
    const replaced = this.#coerce ? coerced(accepted.types, value) : undefined;
    if (replaced !== undefined) return replaced;
    throw mismatch(path, value, wanted(accepted));
  }

  /** Formats a date as full-date or full-time (RFC 3339 section 5.6), if the schema's `format` is one of them. */
  #date(node: Node, raw: unknown): string | undefined {
    const date = original(raw);
    if (!types.isDate(date) || Number.isNaN(date.getTime())) return undefined;
    const format = this.planner.format(node);
    if (format !== 'date' && format !== 'time') return undefined;
    return JSON.stringify(date.toISOString().split('T')[format === 'date' ? 0 : 1]);
  }

  #scalar(node: Node, type: number, value: unknown): string | undefined {
    const { types: taken, constants, texts } = this.planner.accepted(node);
    // As in JSON.stringify, -0 becomes 0 and 1e21 becomes 1e+21.
    if (typeof value === 'bigint') {
      if (takesBigInts(taken)) return String(value);
    } else if (taken & type) return JSON.stringify(value);
    const constant = constants.findIndex((candidate) => jsonEqual(candidate, value));
    return texts[constant];
  }

  #container(node: Node, type: number, given: object, path: string[]): string | undefined {
    if (type === OBJECT && this.rejectsOpaque) checkOpaque(given, path);
    let value = given;
    while (node.choice !== undefined) {
      let next: Node | undefined;
      try {
        next = this.selector.select(node, type, value);
      } catch (error) {
        if (error !== UNSETTLED) throw error;
        value = settled(value) as object;
        next = this.selector.select(node, type, value);
      }
      if (next === undefined) return undefined;
      node = next;
    }
    if ((this.planner.accepted(node).types & type) === 0) return this.#scalar(node, type, value);
    if (type === ARRAY) {
      if (!this.planner.describesArrays(node)) return this.#items(this.planner.any, value as ArrayLike<unknown>, path);
      return this.#array(this.planner.array(node), value as ArrayLike<unknown>, path);
    }
    return this.planner.describesObjects(node)
      ? this.#object(this.planner.object(node), value, path)
      : untyped(new Converted(value, value), '', path, this.rejectsOpaque);
  }

  #object(shape: ObjectShape, object: object, path: string[]): string {
    const parts: string[] = [];
    for (const { key, label, required, node, fallback } of shape.properties) {
      const value = converted(ownValue(object, key), key);
      path.push(key);
      const text = isAbsent(value) ? undefined : this.#text(node, value, key, path);
      if (text !== undefined) parts.push(label + text);
      else if (fallback !== undefined) parts.push(label + fallback);
      else if (required) parts.push(label + this.#missing(node, path));
      path.pop();
    }
    this.#extras(shape, object, parts, path);
    return `{${parts.join(',')}}`;
  }

  #missing(node: Node, path: string[]): string {
    const text = this.absent(node);
    if (text !== undefined) return text;
    throw missing(path);
  }

  #extras(shape: ObjectShape, object: object, parts: string[], path: string[]): void {
    if (shape.patterns.length === 0 && shape.extra([]) === 'omit') return;
    const listed = new Set(shape.properties.map((property) => property.key));
    for (const key of Object.keys(object)) {
      const node = listed.has(key) ? 'omit' : extraOf(shape, key);
      if (node === 'omit') continue;
      const value = converted((object as Record<string, unknown>)[key], key);
      if (isAbsent(value)) continue;
      path.push(key);
      if (node === 'reject') throw notAllowed(path);
      const text = this.#text(node, value, key, path);
      if (text !== undefined) parts.push(`${JSON.stringify(key)}:${text}`);
      path.pop();
    }
  }

  #array(shape: ArrayShape, list: ArrayLike<unknown>, path: string[]): string {
    const { minItems, maxItems } = shape;
    if (list.length < minItems || list.length > maxItems) {
      const allowed = maxItems < Number.POSITIVE_INFINITY ? `${minItems} to ${maxItems}` : `at least ${minItems}`;
      throw wrongLength(path, list.length, allowed);
    }
    return this.#items(shape.items, list, path, shape.prefix);
  }

  #items(node: Node, list: ArrayLike<unknown>, path: string[], prefix: readonly Node[] = []): string {
    const { length } = list;
    let text = '[';
    for (let i = 0; i < length; i++) {
      path.push(String(i));
      const item = this.#text(prefix[i] ?? node, list[i], String(i), path) ?? 'null';
      text += i === 0 ? item : `,${item}`;
      path.pop();
    }
    return `${text}]`;
  }
}

/** Whether BigInts are written as digits: if the schema accepts integers, but not all numbers. */
function takesBigInts(types: number): boolean {
  return (types & NUMBER) === INTEGER;
}

/** @throws LoopShardError VALUE_MISMATCH */
function checkOpaque(value: object, path: readonly string[]): void {
  const kind = opaqueKind(value);
  if (kind !== undefined) throw opaqueAt({ ...kind, path });
}

/**
 * Returns JSON.stringify's text of a value that the schema does not restrict; `undefined` if it has none.
 * @throws LoopShardError VALUE_MISMATCH, DEPTH_EXCEEDED
 */
export function untyped(
  value: unknown,
  key: string,
  path: readonly string[],
  rejectsOpaque: boolean,
): string | undefined {
  const text = stringified(value, key, path);
  if (rejectsOpaque && text?.includes('{}')) {
    const found = findOpaque(value instanceof Converted ? value.json : value, opaqueKind, path);
    if (found !== undefined) throw opaqueAt(found);
  }
  return text;
}

function stringified(value: unknown, key: string, path: readonly string[]): string | undefined {
  try {
    // Wrapped in an object, so that toJSON gets the key.
    if (typeof value !== 'object' || value === null || !('toJSON' in value)) return JSON.stringify(value);
    const text = JSON.stringify({ [key]: value });
    return text === '{}' ? undefined : text.slice(JSON.stringify(key).length + 2, -1);
  } catch (error) {
    throw explained(error, value, path);
  }
}
