import { types } from 'node:util';
import { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { Generator } from './codegen.js';
import { describePlan } from './describe.js';
import { BAIL, type Lane, type LaneFactory, NO_ROOM, notAccepted, openLane } from './lane.js';
import { isStackOverflow } from './mismatch.js';
import { depthOf, type Part, PartReader } from './parts.js';
import { PlainLane } from './plain.js';
import { type Node, Planner } from './plan.js';
import type { Infer, WriterOptions } from './schema.js';
import { FULL } from './sink.js';
import { staging } from './standalone.js';
import { jsonSchemaOf } from './standard.js';

const DEFAULT_MAX_DEPTH = 1000;

/** What `explain` tells. */
export interface WriterExplanation {
  /**
   * 'wasm': formed in shared memory by generated code and the WASM kernels. 'v8': formed by JSON.stringify, then copied, whole
   * or in part. As it is in the memory that was written to last.
   */
  lane: 'wasm' | 'v8';
  /** Why this lane. */
  reason: string;
  /**
   * Values so far of which the lane left a part to JSON.stringify: lone surrogates, dates and other objects with toJSON,
   * proxies and the like. Slow but right; a number that grows with every value is worth a look.
   */
  fallbacks: number;
}

/** What `debug` shows. */
export interface WriterDebugging {
  /** A line for each place of a value: its types, its properties, and the choices that the value makes. */
  plan: string;
  /** The functions that were generated, the whole value's first; empty where JSON.stringify writes. */
  code: string[];
}

const REASONS = {
  asked: 'The option lane asks for it.',
  typed: 'It is the faster, or as fast, for typed schemas on every version of V8 that was measured.',
  untyped: 'The schema says nothing of its values: JSON.stringify forms the text, which is written at once.',
  forbidden: 'This process forbids generating code from strings.',
};

/** Writes the values of one schema. Made by `compileWriter`; for use in the thread that made it. */
export class CompiledWriter<T = unknown> {
  readonly #plain: PlainLane;
  readonly #root: Node;
  /** Undefined where the plain lane writes everything. */
  readonly #generator: Generator | undefined;
  /** Compiled when the schema was, for the first core. */
  #factory: LaneFactory | undefined;
  readonly #lanes = new WeakMap<CoreMemory, Lane | null>();
  #explanation: { lane: 'wasm' | 'v8'; reason: string };
  #fallbacks = 0;
  #lane: Lane | null = null;
  #core: CoreMemory | undefined;
  /** The memory that was written to last has no room for the generated code. */
  #hasNoRoom = false;

  constructor(schema: unknown, options: WriterOptions = {}) {
    const { coerce = false, maxDepth = DEFAULT_MAX_DEPTH, lane = 'auto', schemas } = options;
    if (!Number.isInteger(maxDepth) || maxDepth < 1) {
      throw new LoopShardError('OPTION_INVALID', `Invalid \`maxDepth\`: expected a positive integer, got ${maxDepth}.`);
    }
    const planner = new Planner(options);
    const { part, depth } = read(schema, schemas);
    const root = planner.node([part]);
    this.#root = root;
    this.#plain = new PlainLane(planner, root, coerce, maxDepth);
    this.#explanation = { lane: 'v8', reason: REASONS.asked };
    if (lane === 'v8') return;
    const generator = new Generator(planner, root, depth, maxDepth, coerce);
    try {
      this.#factory = compileSource(generator.source());
    } catch (error) {
      this.#explanation.reason = error instanceof EvalError ? REASONS.forbidden : notAccepted(error);
      return;
    }
    this.#generator = generator;
    this.#explanation =
      planner.isAny(root) && lane === 'auto'
        ? { lane: 'v8', reason: REASONS.untyped }
        : { lane: 'wasm', reason: lane === 'wasm' ? REASONS.asked : REASONS.typed };
  }

  /** Which machinery writes, and why. */
  explain(): WriterExplanation {
    const gap = this.#hasNoRoom ? NO_ROOM : (this.#lane?.gap ?? '');
    const explanation = gap === '' ? this.#explanation : { lane: 'v8' as const, reason: gap };
    return { ...explanation, fallbacks: this.#fallbacks };
  }

  /** The plan of the schema and the code that was generated for it, for people to read. Its form is no promise. */
  debug(): WriterDebugging {
    const units = this.#generator === undefined ? [] : [...this.#generator.units()];
    return { plan: describePlan(this.#plain.planner, this.#root), code: units.map((unit) => unit.source) };
  }

  /**
   * Writes straight into the memory of `core`, from `position`, never at or past `limit`. The bytes between must be the
   * calling thread's own.
   * @returns the position behind the value, or 0 if it does not fit: to write it elsewhere it must be read again. Where a
   *   value may be too large, `writeOrSpill` reads it once
   * @throws LoopShardError VALUE_MISMATCH, DEPTH_EXCEEDED; whatever a getter or toJSON method of the value throws
   */
  write(core: CoreMemory, position: number, limit: number, value: T): number {
    return this.#write(core, position, limit, value, false) as number;
  }

  /**
   * Writes as `write` does; a value that does not fit goes to private memory. It is read once.
   * @returns the position behind the value, or all its bytes if it did not fit
   * @throws as `write` does
   */
  writeOrSpill(core: CoreMemory, position: number, limit: number, value: T): number | Uint8Array<ArrayBuffer> {
    return this.#write(core, position, limit, value, true);
  }

  /**
   * The value in memory of its own, which can be transferred.
   * @throws as `write` does
   */
  toBytes(value: T): Uint8Array<ArrayBuffer> {
    const region = this.#generator && staging();
    if (region === undefined) this.#hasNoRoom = this.#generator !== undefined;
    const lane = region && this.#laneIn(region.core);
    // A getter or toJSON of a value that lies in the region may ask for the bytes of another one.
    if (!region || !lane || lane.tape.busy) return encoded(this.#plainText(lane, value));
    const end = this.#run(lane, region.start, region.limit, value, true);
    if (typeof end !== 'number') return end;
    return region.core.u8.slice(region.start, end) as unknown as Uint8Array<ArrayBuffer>;
  }

  /**
   * Writes at `offset` of `target`, and not past its end.
   * @returns the offset behind the value, or 0 if it does not fit
   * @throws LoopShardError OPTION_INVALID if the offset lies outside; as `write` does
   */
  writeInto(target: Uint8Array | CoreMemory, offset: number, value: T): number {
    const size = target instanceof CoreMemory ? target.buffer.byteLength : target.length;
    if (!Number.isInteger(offset) || offset < 0 || offset > size) {
      throw new LoopShardError(
        'OPTION_INVALID',
        `Invalid offset: expected an integer from 0 to ${size}, got ${offset}.`,
      );
    }
    if (target instanceof CoreMemory) return this.write(target, offset, size, value);
    const bytes = this.toBytes(value);
    if (bytes.length > size - offset) return 0;
    target.set(bytes, offset);
    return offset + bytes.length;
  }

  #write(
    core: CoreMemory,
    position: number,
    limit: number,
    value: T,
    spills: boolean,
  ): number | Uint8Array<ArrayBuffer> {
    const lane = core === this.#core ? this.#lane : this.#laneIn(core);
    if (lane !== null && !lane.tape.busy) return this.#run(lane, position, limit, value, spills);
    const text = this.#plainText(lane, value);
    const room = limit - position;
    const size = text.length > room ? text.length : Buffer.byteLength(text);
    if (size <= room) return position + core.bytes.write(text, position, size, 'utf8');
    return spills ? encoded(text) : 0;
  }

  /** The whole value by the plain lane: there is no other, or it is in the middle of a value. */
  #plainText(lane: Lane | null | undefined, value: T): string {
    if (lane) this.#fallbacks++;
    return this.#plain.text(value);
  }

  #run(lane: Lane, position: number, limit: number, value: T, spills: boolean): number | Uint8Array<ArrayBuffer> {
    const { tape, sink } = lane;
    if (lane.isUntidy) this.#tidy(lane);
    sink.begin(position, limit, spills);
    // From here to `try`, nothing is called: that could fail where the stack is full.
    lane.isUntidy = true;
    tape.busy = true;
    try {
      const end = lane.write(position, limit, value);
      if (!sink.isTouched) {
        tape.busy = false;
        lane.isUntidy = false;
        return end;
      }
      const result = sink.end(end);
      tape.busy = false;
      this.#tidy(lane);
      return result;
    } catch (thrown) {
      tape.busy = false;
      this.#tidy(lane);
      if (thrown === FULL) return 0;
      throw isMismatch(thrown) ? this.#explained(value, thrown) : thrown;
    }
  }

  /** After a value with which something out of the ordinary was done. If there is no stack left for it, before the next one. */
  #tidy(lane: Lane): void {
    const { sink } = lane;
    lane.rewind();
    this.#plain.finish();
    if (sink.fellBack) this.#fallbacks++;
    sink.reset();
    lane.isUntidy = false;
  }

  /** The error of a value that does not match, with the path, for which it is read again. */
  #explained(value: T, reason: unknown): unknown {
    try {
      this.#plain.text(value);
    } catch (error) {
      return error;
    }
    if (reason instanceof LoopShardError) return reason;
    return isStackOverflow(reason)
      ? new LoopShardError('DEPTH_EXCEEDED', 'The value is nested too deeply to be written.')
      : new LoopShardError('VALUE_MISMATCH', 'The value does not match its schema, and reads differently each time.');
  }

  #laneIn(core: CoreMemory): Lane | null {
    let lane = this.#lanes.get(core);
    if (lane === undefined) {
      lane = this.#open(core);
      this.#lanes.set(core, lane);
    }
    this.#core = core;
    this.#lane = lane;
    this.#hasNoRoom = lane === null && this.#generator !== undefined;
    return lane;
  }

  #open(core: CoreMemory): Lane | null {
    if (this.#generator === undefined) return null;
    const factory = this.#factory ?? compileSource(this.#generator.source());
    this.#factory = undefined;
    return openLane(core, factory, this.#generator, this.#plain) ?? null;
  }
}

/**
 * Compiles a schema. Expensive (about a millisecond for a small one): do it once.
 * @param schema JSON Schema; a TypeBox schema, whose type the values then have; or a Standard Schema that can be turned
 *   into JSON Schema
 * @throws LoopShardError SCHEMA_INVALID, OPTION_INVALID
 */
export function compileWriter<const S>(schema: S, options?: WriterOptions): CompiledWriter<Infer<S>> {
  return new CompiledWriter<Infer<S>>(schema, options);
}

/**
 * The parts of a schema, and the levels of nesting that its values can have.
 * @throws LoopShardError SCHEMA_INVALID
 */
function read(schema: unknown, schemas: WriterOptions['schemas']): { part: Part; depth: number } {
  try {
    const part = new PartReader(jsonSchemaOf(schema), schemas).root();
    return { part, depth: depthOf(part) };
  } catch (cause) {
    if (!isStackOverflow(cause)) throw cause;
    throw new LoopShardError('SCHEMA_INVALID', 'The schema is nested too deeply to be compiled.', { cause });
  }
}

let compilations = 0;

/**
 * Every compilation has a source of its own: V8 shares what it has learned between functions of the same source, and
 * then treats what each of them closes over, the WASM functions above all, as variable.
 */
function compileSource(source: string): LaneFactory {
  return new Function('env', `${source}\n// ${compilations++}`) as LaneFactory;
}

function isMismatch(reason: unknown): boolean {
  return (
    reason === BAIL || reason instanceof LoopShardError || (types.isNativeError(reason) && isStackOverflow(reason))
  );
}

function encoded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}
