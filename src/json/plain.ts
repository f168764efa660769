import { types } from 'node:util';
import { LoopShardError } from '../errors.js';
import { coerced } from './coerce.js';
import { constantIndex, extraNode, isAbsent, isList, matches, ownValue, prepared } from './match.js';
import type { ArrayNode, Node, ObjectNode } from './plan.js';

/**
 * Writes by the plan without any haste: what the fast lanes do not take on (exotic objects, lone surrogates, text that
 * fits no shared memory) and what they find wrong, with the path. Its output is the definition of theirs.
 */
export class PlainLane {
  readonly #node: Node;
  readonly #coerce: boolean;
  readonly #maxDepth: number;

  constructor(node: Node, coerce: boolean, maxDepth: number) {
    this.#node = node;
    this.#coerce = coerce;
    this.#maxDepth = maxDepth;
  }

  /** @throws LoopShardError VALUE_MISMATCH, DEPTH_EXCEEDED */
  text(value: unknown): string {
    return this.part(this.#node, value, '');
  }

  /** The text of a part of the value; paths of errors begin at the part. */
  part(node: Node, value: unknown, key: string): string {
    const path: string[] = [];
    try {
      const text = this.#text(node, value, key, path);
      if (text === undefined) throw mismatch(path, value, 'a JSON value');
      return text;
    } catch (error) {
      if (error instanceof RangeError && error.message.includes('call stack')) throw tooDeep(path, this.#maxDepth);
      throw error;
    }
  }

  #text(node: Node, raw: unknown, key: string, path: string[]): string | undefined {
    if (path.length > this.#maxDepth) throw tooDeep(path, this.#maxDepth);
    if (node.kind === 'any') return untyped(raw, key, path);
    if (node.kind === 'string' && types.isDate(raw)) raw = formatDate(raw, node.format);
    const value = prepared(raw, key);
    if (node.kind === 'union') return this.#union(node.branches, raw, value, key, path);
    const text = this.#scalar(node, value);
    if (text !== undefined) return text;
    if (node.kind === 'object' && typeof value === 'object' && value !== null && !isList(value)) {
      return this.#object(node, value, path);
    }
    if (node.kind === 'array' && isList(value)) return this.#array(node, value, path);
    const replaced = this.#coerce ? coerced(node, value) : undefined;
    if (replaced !== undefined) return replaced;
    throw mismatch(path, value, wanted(node));
  }

  #scalar(node: Node, value: unknown): string | undefined {
    switch (node.kind) {
      case 'string':
        return typeof value === 'string' ? JSON.stringify(value) : undefined;
      case 'number':
        return typeof value === 'number' ? JSON.stringify(value) : undefined;
      case 'integer':
        return Number.isInteger(value) || typeof value === 'bigint' ? integerText(value) : undefined;
      case 'boolean':
        return typeof value === 'boolean' ? String(value) : undefined;
      case 'null':
        return value === null ? 'null' : undefined;
      case 'constant':
        return node.texts[constantIndex(node.values, value)];
      default:
        return undefined;
    }
  }

  #union(branches: readonly Node[], raw: unknown, value: unknown, key: string, path: string[]): string | undefined {
    if (branches.length === 1) return this.#text(branches[0], raw, key, path);
    const branch = branches.find((candidate) => matches(candidate, value, this.#maxDepth - path.length));
    if (branch !== undefined) return this.#text(branch, raw, key, path);
    const date = types.isDate(raw) && branches.find((candidate) => candidate.kind === 'string');
    if (date) return this.#text(date, raw, key, path);
    if (this.#coerce) {
      for (const candidate of branches) {
        const text = coerced(candidate, value);
        if (text !== undefined) return text;
      }
    }
    throw mismatch(path, value, [...new Set(branches.map(wanted))].join(' or '));
  }

  #object(node: ObjectNode, object: object, path: string[]): string {
    const parts: string[] = [];
    for (const { key, label, required, node: part } of node.properties) {
      const raw = ownValue(object, key);
      path.push(key);
      const absent = isAbsent(raw) || isAbsent(rawOrConverted(raw, key, required));
      const text = absent ? undefined : this.#text(part, raw, key, path);
      if (text !== undefined) parts.push(label + text);
      else if (required) parts.push(label + this.#missing(part, path));
      path.pop();
    }
    if (node.additional !== 'omit' || node.patterns.length > 0) this.#extras(node, object, parts, path);
    return `{${parts.join(',')}}`;
  }

  #missing(node: Node, path: string[]): string {
    const text = this.#coerce ? coerced(node, null) : undefined;
    if (text !== undefined) return text;
    throw new LoopShardError('VALUE_MISMATCH', `${place(path)} is missing, and the schema requires it.`);
  }

  #extras(node: ObjectNode, object: object, parts: string[], path: string[]): void {
    const listed = new Set(node.properties.map((property) => property.key));
    for (const key of Object.keys(object)) {
      if (listed.has(key)) continue;
      const raw = (object as Record<string, unknown>)[key];
      const part = extraNode(node, key);
      if (part === 'omit' || isAbsent(raw)) continue;
      path.push(key);
      if (part === 'reject') {
        throw new LoopShardError('VALUE_MISMATCH', `${place(path)} is a property that the schema does not allow.`);
      }
      const text = this.#text(part, raw, key, path);
      if (text !== undefined) parts.push(`${JSON.stringify(key)}:${text}`);
      path.pop();
    }
  }

  #array(node: ArrayNode, list: ArrayLike<unknown>, path: string[]): string {
    if (list.length < node.minItems || list.length > node.maxItems) {
      const allowed =
        node.maxItems < Number.POSITIVE_INFINITY ? `${node.minItems} to ${node.maxItems}` : `at least ${node.minItems}`;
      throw mismatch(path, `${list.length} items`, `${allowed} items`);
    }
    let text = '[';
    for (let i = 0; i < list.length; i++) {
      path.push(String(i));
      const part = node.prefix[i] ?? node.items;
      const item = this.#text(part, list[i], String(i), path) ?? 'null';
      text += i === 0 ? item : `,${item}`;
      path.pop();
    }
    return `${text}]`;
  }
}

/** A toJSON that returns undefined makes an optional property absent. Called twice then: JSON.stringify calls it once. */
function rawOrConverted(raw: unknown, key: string, required: boolean): unknown {
  if (required || typeof raw !== 'object' || raw === null) return raw;
  return typeof (raw as { toJSON?: unknown }).toJSON === 'function' ? prepared(raw, key) : raw;
}

/** JSON.stringify's own text of a value of which the schema says nothing; `undefined` if it has none. */
export function untyped(value: unknown, key: string, path: readonly string[]): string | undefined {
  try {
    // Wrapped, so that a toJSON method is told its key.
    if (typeof value !== 'object' || value === null || !('toJSON' in value)) return JSON.stringify(value);
    const text = JSON.stringify({ [key]: value });
    return text === '{}' ? undefined : text.slice(JSON.stringify(key).length + 2, -1);
  } catch (error) {
    throw explained(error, value, path);
  }
}

function explained(error: unknown, value: unknown, path: readonly string[]): unknown {
  if (error instanceof TypeError && error.message.startsWith('Converting circular')) {
    return new LoopShardError('DEPTH_EXCEEDED', `${place(path)} contains itself; JSON has no cycles.`, {
      cause: error,
    });
  }
  if (error instanceof RangeError && error.message.includes('call stack')) {
    return new LoopShardError('DEPTH_EXCEEDED', `${place(path)} is nested too deeply to be written.`, { cause: error });
  }
  if (error instanceof TypeError && error.message.includes('BigInt'))
    return mismatch(path, value, 'free of BigInts', error);
  return error;
}

function integerText(value: unknown): string {
  // -0 is 0, and 1e21 is 1e+21, as JSON.stringify has them.
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

/** RFC 3339, section 5.6: full-date, full-time, or as Date.prototype.toJSON has it. */
function formatDate(date: Date, format: string): Date | string {
  if ((format !== 'date' && format !== 'time') || Number.isNaN(date.getTime())) return date;
  return date.toISOString().split('T')[format === 'date' ? 0 : 1];
}

function place(path: readonly string[]): string {
  if (path.length === 0) return 'The value';
  return `The value at ${path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
}

function wanted(node: Node): string {
  switch (node.kind) {
    case 'constant':
      return node.texts.length > 8 ? 'one of its constants' : node.texts.join(' or ');
    case 'never':
      return 'nothing at all';
    case 'null':
      return 'null';
    case 'union':
      return [...new Set(node.branches.map(wanted))].join(' or ');
    default:
      return `${/^[aeio]/.test(node.kind) ? 'an' : 'a'} ${node.kind}`;
  }
}

function described(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return 'an array';
  return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}

function mismatch(path: readonly string[], value: unknown, want: string, cause?: unknown): LoopShardError {
  const message = `${place(path)} is ${described(value)}, and its schema wants ${want}.`;
  return new LoopShardError('VALUE_MISMATCH', message, cause === undefined ? undefined : { cause });
}

function tooDeep(path: readonly string[], maxDepth: number): LoopShardError {
  const start = place(path.slice(0, 8));
  return new LoopShardError(
    'DEPTH_EXCEEDED',
    `${start}/… is nested more than ${maxDepth} levels deep; look for a cycle, or raise maxDepth.`,
  );
}
