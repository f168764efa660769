import { types } from 'node:util';
import {
  TAPE_CHARS_OFFSET,
  TAPE_NUMBERS_OFFSET,
  TAPE_TEXT_OFFSET,
  TAPE_TOKENS_OFFSET,
} from '../../assembly/json/layout.js';
import type { CoreMemory } from '../core/memory.js';
import type { Fragments } from './fragments.js';
import { constantIndex, isAbsent, isList, matches, ownValue } from './match.js';
import { type PlainLane, untyped } from './plain.js';
import type { ConstantNode, Node, ObjectNode } from './plan.js';
import { Tape, unlessExhausted } from './tape.js';

/** Thrown by generated code: the value does not fit between position and limit. */
export const FULL = Symbol('full');
/** Thrown by generated code: the plain lane must look at this value. */
export const BAIL = Symbol('bail');

/** Writes `value` from `start`, not past `end`; returns the position behind it, or throws FULL, BAIL or what the value throws. */
export type LaneWrite = (start: number, end: number, value: unknown) => number;

/** A compiled writer in one core. */
export interface Lane {
  readonly tape: Tape;
  readonly write: LaneWrite;
}

/** A function that takes what the generated code uses. */
export type LaneFactory = (env: object) => LaneWrite;

/** @returns `undefined` if the core has no room for the tape or the fragments */
export function openLane(
  core: CoreMemory,
  factory: LaneFactory,
  fragments: Fragments,
  nodes: readonly Node[],
  plainLane: PlainLane,
  maxDepth: number,
): Lane | undefined {
  const tape = Tape.of(core);
  const addresses = tape && unlessExhausted(() => fragments.place(core));
  if (tape === undefined || addresses === undefined) return undefined;
  const { address } = tape;
  const env = {
    i32: core.i32,
    u8: core.u8,
    f64: tape.f64,
    bytes: tape.bytes,
    jsonRun: core.wasm.jsonRun,
    escapeText: core.wasm.escapeText,
    quoteInPlace: core.wasm.quoteInPlace,
    hasReplacement: core.wasm.hasReplacement,
    writeBytes: core.wasm.writeBytes,
    TAPE: address,
    TEXT: address + TAPE_TEXT_OFFSET,
    T0: (address + TAPE_TOKENS_OFFSET) >> 2,
    N0: (address + TAPE_NUMBERS_OFFSET) >> 3,
    C0: address + TAPE_CHARS_OFFSET,
    Buffer,
    FULL,
    BAIL,
    fragments: addresses,
    QUOTE: addresses[0],
    COMMA: addresses[1],
    ...judgements(nodes, plainLane, maxDepth),
  };
  return { tape, write: factory(env) };
}

/** What the generated code asks about values that are not as it expects them most. */
function judgements(nodes: readonly Node[], plainLane: PlainLane, maxDepth: number): object {
  const plainPrototypes = nodes.map(() => new WeakSet<object>());
  const listed = nodes.map((node) => new Set(node.kind === 'object' ? node.properties.map(({ key }) => key) : []));
  return {
    isList,
    own: ownValue,
    untyped: (value: unknown, key: string | number) => untyped(value, String(key), []),
    plainText: (node: number, value: unknown, key: string | number) => plainLane.part(nodes[node], value, String(key)),
    constant: (node: number, value: unknown) => constantIndex((nodes[node] as ConstantNode).values, value),
    isListed: (node: number, key: string) => listed[node].has(key),
    isPlain: (node: number, value: object) => {
      const prototype = Object.getPrototypeOf(value);
      if (prototype === null || plainPrototypes[node].has(prototype)) return true;
      if (!inheritsNothing(nodes[node] as ObjectNode, value, prototype)) return false;
      plainPrototypes[node].add(prototype);
      return true;
    },
    choose: (node: number, value: unknown, depth: number) => {
      if (isAbsent(value)) return -1;
      const { branches } = nodes[node] as { branches: Node[] };
      return branches.findIndex((branch) => matches(branch, value, maxDepth - depth));
    },
  };
}

/** Whether all that a schema can find in an object with this prototype is the object's own. */
function inheritsNothing(node: ObjectNode, value: object, prototype: object): boolean {
  if (isList(value) || types.isBoxedPrimitive(value) || 'toJSON' in prototype) return false;
  return node.properties.every(({ key }) => key in Object.prototype || !(key in prototype));
}
