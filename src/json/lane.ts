import { types } from 'node:util';
import {
  TAPE_CHARS_OFFSET,
  TAPE_NUMBERS_OFFSET,
  TAPE_TEXT_OFFSET,
  TAPE_TOKENS_OFFSET,
} from '../../assembly/json/layout.js';
import type { CoreMemory } from '../core/memory.js';
import type { Generator } from './codegen.js';
import { UNSETTLED } from './judge.js';
import { isStackOverflow } from './mismatch.js';
import { mayBeOpaque } from './opaque.js';
import { type PlainLane, untyped } from './plain.js';
import type { Node, Planner } from './plan.js';
import { Sink } from './sink.js';
import { Tape } from './tape.js';
import { converted, isAbsent, isList, jsonEqual, ownValue, settled } from './values.js';

/** Thrown by generated code if the value does not match. The plain lane then finds the place. */
export const BAIL = Symbol('bail');

/** The interface of generated code. */
interface LaneCode {
  /** Writes `value` from `start`, not past `end`. Returns the position after it, or throws FULL, BAIL or whatever the value throws. */
  write(start: number, end: number, value: unknown): number;
  /** Empties the tape. Needed before the next value if `write` has thrown. */
  rewind(): void;
}

/** A compiled writer in a core. */
export interface Lane extends LaneCode {
  readonly tape: Tape;
  readonly sink: Sink;
  /** Cleanup is needed before the next value is written. */
  isUntidy: boolean;
  /** Why the plain lane writes a part of the schema that has no generated code; empty if all parts have code. */
  gap: string;
}

/** Creates the generated code from the environment that it uses. */
export type LaneFactory = (env: object) => LaneCode;

/** Reasons why a schema, or a part of it, has no generated code. */
export const NO_ROOM = 'The shared memory has no room left for the data of the generated code.';
export const notAccepted = (error: unknown) =>
  `The generated code is not valid JavaScript, which is a bug in LoopShard: ${error}`;

/** Passed to generated code instead of a unit that has no memory. */
const NO_UNIT = { source: '', fragments: 0, calls: [] };

/** @returns `undefined` if the core has no room for the tape or the fragments */
export function openLane(
  core: CoreMemory,
  factory: LaneFactory,
  generator: Generator,
  plainLane: PlainLane,
): Lane | undefined {
  const tape = Tape.of(core);
  const first = generator.unit(0);
  const comma = first.fragments.offset(',');
  const fragments = tape && first.fragments.place(core);
  if (tape === undefined || fragments === undefined) return undefined;
  const sink = new Sink(core);
  const { address } = tape;
  /** Addresses of the fragments of units, by number. */
  const addresses: number[] = [];
  const env = {
    i32: core.i32,
    u8: core.u8,
    f64: tape.f64,
    bytes: tape.bytes,
    jsonRun: core.wasm.jsonRun,
    quoteInPlace: core.wasm.quoteInPlace,
    hasReplacement: core.wasm.hasReplacement,
    TAPE: address,
    TEXT: address + TAPE_TEXT_OFFSET,
    T0: (address + TAPE_TOKENS_OFFSET) >> 2,
    N0: (address + TAPE_NUMBERS_OFFSET) >> 3,
    C0: address + TAPE_CHARS_OFFSET,
    Buffer,
    BAIL,
    fragments: fragments.address,
    calls: first.calls,
    COMMA: fragments.address + comma,
    unit: (number: number) => {
      const { source, calls, fragments } = generator.unit(number);
      const node = generator.subject(number);
      // A unit may be requested again after its fragments were placed, if the stack was too full to compile it.
      let address = addresses[number];
      if (address === undefined) {
        const placed = fragments.place(core);
        if (placed === undefined) {
          lane.gap = NO_ROOM;
          return { ...NO_UNIT, node };
        }
        placed.hold(lane);
        addresses[number] = address = placed.address;
      }
      return { source, calls, fragments: address, node };
    },
    refuse: (error: unknown) => {
      // The unit is compiled again when it is next called, with more stack left.
      if (isStackOverflow(error)) throw error;
      lane.gap = notAccepted(error);
    },
    sink,
    tapeText: (words: number, text: string) => {
      sink.fallBack();
      return tape.json(words, text);
    },
    ...judgements(generator, plainLane, sink),
  };
  const lane: Lane = { tape, sink, isUntidy: false, gap: '', ...factory(env) };
  fragments.hold(lane);
  return lane;
}

/** Functions that generated code calls for unusual values. */
function judgements(generator: Generator, plainLane: PlainLane, sink: Sink): object {
  const { nodes, choices } = generator;
  const { planner, selector } = plainLane;
  const plainPrototypes: WeakSet<object>[] = [];
  const listed = lazily((node) => new Set(planner.object(nodes[node]).properties.map(({ key }) => key)));
  const constants = lazily((node) => {
    return new Map(planner.accepted(nodes[node]).constants.map((value, i) => [value, i]));
  });
  const chosen: { value: unknown } = { value: undefined };
  return {
    isList,
    isVector: (value: unknown) =>
      types.isTypedArray(value) && (value as unknown as { toJSON?: unknown }).toJSON === undefined,
    own: ownValue,
    converted: (value: unknown, key: string) => {
      const result = converted(value, key);
      return isAbsent(result) ? undefined : result;
    },
    untyped: (value: unknown, key: string | number) => untyped(value, String(key), [], plainLane.rejectsOpaque),
    plainText: (node: number, value: unknown, key: string | number) => {
      sink.fallBack();
      return plainLane.part(nodes[node], value, String(key));
    },
    absent: (node: number) => plainLane.absent(nodes[node]) ?? bail(),
    constant: (node: number, value: unknown) => {
      const known = constants(node).get(value);
      if (known !== undefined || typeof value !== 'object' || value === null || 'toJSON' in value) return known ?? -1;
      for (const [constant, i] of constants(node)) if (jsonEqual(constant, value)) return i;
      return -1;
    },
    isAbsent,
    matchesOf: (node: number, key: string) => {
      let matches = 0;
      for (const [i, pattern] of planner.object(nodes[node]).patterns.entries())
        if (pattern.test(key)) matches |= 1 << i;
      return matches;
    },
    isListed: (node: number, key: string) => listed(node).has(key),
    refuseUnlisted: (node: number, value: object) => {
      for (const key of Object.keys(value)) {
        if (!listed(node).has(key) && !isAbsent((value as Record<string, unknown>)[key])) bail();
      }
    },
    isPlain: (node: number, value: object) => {
      const prototype = Object.getPrototypeOf(value);
      // Faster than `mayBeOpaque`: database drivers return objects without a prototype.
      if (prototype === null) return !plainLane.rejectsOpaque || !(Symbol.toStringTag in value);
      if (plainPrototypes[node]?.has(prototype)) return true;
      if (plainLane.rejectsOpaque && mayBeOpaque(value)) return false;
      if (!inheritsNothing(ownKeys(planner, nodes[node]), value, prototype)) return false;
      (plainPrototypes[node] ??= new WeakSet()).add(prototype);
      return true;
    },
    chosen,
    choose: (choice: number, value: object) => {
      const { node, type, cases } = choices[choice];
      chosen.value = value;
      // The verdicts of the judge are valid for this value only.
      sink.isTouched = true;
      let next: Node | undefined;
      try {
        next = selector.select(node, type, value);
      } catch (error) {
        if (error !== UNSETTLED) throw error;
        const copy = settled(value) as object;
        chosen.value = copy;
        next = selector.select(node, type, copy);
      }
      return next === undefined ? -1 : (cases.get(next) ?? -1);
    },
  };
}

function bail(): never {
  throw BAIL;
}

function lazily<T>(make: (node: number) => T): (node: number) => T {
  const made: T[] = [];
  return (node) => (made[node] ??= make(node));
}

/** Returns the properties that generated code reads from objects of this node. */
function ownKeys(planner: Planner, node: Node): readonly string[] {
  if (node.choice === undefined) return planner.object(node).properties.map(({ key }) => key);
  const discriminator = planner.discriminator(node);
  return discriminator === undefined ? [] : [discriminator.property];
}

/** Whether an object with this prototype inherits none of the properties that the schema reads. */
function inheritsNothing(keys: readonly string[], value: object, prototype: object): boolean {
  if (isList(value) || types.isBoxedPrimitive(value) || 'toJSON' in prototype) return false;
  return keys.every((key) => key in Object.prototype || !(key in prototype));
}
