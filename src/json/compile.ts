import { types } from 'node:util';
import { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
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
import { type Allowed, checkOption } from './writer-options.js';

const DEFAULT_MAX_DEPTH = 1000;

const CHECKED: Record<Exclude<keyof WriterOptions, 'schemas'>, Allowed> = {
  unlisted: ['omit', 'write', 'reject'],
  coerce: [false, true],
  useDefaults: [false, true],
  opaque: ['write', 'reject'],
  maxDepth: 'positive integer',
  lane: ['auto', 'wasm', 'v8'],
};

/** Result of `explain`. */
export interface WriterExplanation {
  /**
   * 'wasm': written in shared memory by generated code and the WASM kernels. 'v8': written by JSON.stringify, completely or in part,
   * and then copied. For the memory that was written to last.
   */
  lane: 'wasm' | 'v8';
  /** Why this lane is used. */
  reason: string;
  /**
   * Number of values so far of which a part was left to JSON.stringify: lone surrogates, dates and other objects with toJSON, proxies
   * and similar. This is slow but correct; check the data if the number grows with every value.
   */
  fallbacks: number;
}

/** Result of `debug`. */
export interface WriterDebugging {
  /** A line for each place of a value: its types, its properties, and the choices that depend on the value. */
  plan: string;
  /** The generated functions, beginning with that of the complete value; empty if JSON.stringify writes everything. */
  code: string[];
}

const REASONS = {
  asked: 'The option `lane` selects it.',
  typed: 'For typed schemas it was at least as fast on every measured version of V8.',
  untyped: 'The schema does not restrict its values, so JSON.stringify writes the text, which is then copied.',
  forbidden: 'This process forbids generating code from strings.',
};

/** Writes the values of one schema. Created by `compileWriter`, for use in the same thread. */
export class CompiledWriter<T = unknown> {
  readonly #plain: PlainLane;
  readonly #root: Node;
  /** `undefined` if the plain lane writes everything. */
  readonly #generator: Generator | undefined;
  /** Compiled together with the schema, for the first core. */
  #factory: LaneFactory | undefined;
  readonly #lanes = new WeakMap<CoreMemory, Lane | null>();
  #explanation: { lane: 'wasm' | 'v8'; reason: string };
  #fallbacks = 0;
  #lane: Lane | null = null;
  #core: CoreMemory | undefined;
  /** The memory that was written to last has no room for the data of the generated code. */
  #hasNoRoom = false;

  constructor(schema: unknown, options: WriterOptions = {}) {
    checkOptions(options);
    const { coerce = false, maxDepth = DEFAULT_MAX_DEPTH, lane = 'auto', opaque = 'write', schemas } = options;
    const planner = new Planner(options);
    const { part, depth } = read(schema, schemas);
    const root = planner.node([part]);
    this.#root = root;
    this.#plain = new PlainLane(planner, root, { coerce, maxDepth, opaque });
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

  /** Tells which lane writes, and why. */
  explain(): WriterExplanation {
    const gap = this.#hasNoRoom ? NO_ROOM : (this.#lane?.gap ?? '');
    const explanation = gap === '' ? this.#explanation : { lane: 'v8' as const, reason: gap };
    return { ...explanation, fallbacks: this.#fallbacks };
  }

  /** Returns the plan and the generated code of the schema, for reading. The format may change. */
  debug(): WriterDebugging {
    const units = this.#generator === undefined ? [] : [...this.#generator.units()];
    return { plan: describePlan(this.#plain.planner, this.#root), code: units.map((unit) => unit.source) };
  }

  /**
   * Writes directly into the memory of `core`, from `position` up to, but not including, `limit`. The calling thread must own these
   * bytes.
   * @returns the position after the value, or 0 if it does not fit. To write it elsewhere, it must be read again; use `writeOrSpill` for
   *   values that may be too large
   * @throws LoopShardError VALUE_MISMATCH, DEPTH_EXCEEDED; whatever a getter or toJSON method of the value throws
   */
  write(core: CoreMemory, position: number, limit: number, value: T): number {
    return this.#write(core, position, limit, value, false) as number;
  }

  /**
   * Writes like `write`, but a value that does not fit goes to private memory. It is read only once.
   * @returns the position after the value, or all its bytes if it did not fit
   * @throws as `write` does
   */
  writeOrSpill(core: CoreMemory, position: number, limit: number, value: T): number | Uint8Array<ArrayBuffer> {
    return this.#write(core, position, limit, value, true);
  }

  /**
   * Returns the value in its own memory, which can be transferred.
   * @throws as `write` does
   */
  toBytes(value: T): Uint8Array<ArrayBuffer> {
    const region = this.#generator && staging();
    if (region === undefined) this.#hasNoRoom = this.#generator !== undefined;
    const lane = region && this.#laneIn(region.core);
    // A getter or toJSON of a value that is being written may call this for another value.
    if (!region || !lane || lane.tape.busy) return encoded(this.#plainText(lane, value));
    const end = this.#run(lane, region.start, region.limit, value, true);
    if (typeof end !== 'number') return end;
    return region.core.u8.slice(region.start, end) as unknown as Uint8Array<ArrayBuffer>;
  }

  /**
   * Writes at `offset` of `target`, but not past its end.
   * @returns the offset after the value, or 0 if it does not fit
   * @throws LoopShardError OPTION_INVALID if the offset is outside of `target`; as `write` does
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

  /** Writes the complete value by the plain lane, if the other lane is missing or in the middle of a value. */
  #plainText(lane: Lane | null | undefined, value: T): string {
    if (lane) this.#fallbacks++;
    return this.#plain.text(value);
  }

  #run(lane: Lane, position: number, limit: number, value: T, spills: boolean): number | Uint8Array<ArrayBuffer> {
    const { tape, sink } = lane;
    if (lane.isUntidy) this.#tidy(lane);
    sink.begin(position, limit, spills);
    // No calls from here to `try`: they could overflow the stack.
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

  /** Cleans up after a value that needed special treatment; before the next value if no stack was left. */
  #tidy(lane: Lane): void {
    const { sink } = lane;
    lane.rewind();
    this.#plain.finish();
    if (sink.fellBack) this.#fallbacks++;
    sink.reset();
    lane.isUntidy = false;
  }

  /** Returns the error of a value that does not match. The value is read again to find the path. */
  #explained(value: T, reason: unknown): unknown {
    try {
      this.#plain.text(value);
    } catch (error) {
      return error;
    }
    if (reason instanceof LoopShardError) return reason;
    return isStackOverflow(reason)
      ? new LoopShardError('DEPTH_EXCEEDED', 'Invalid value: it is nested too deeply.')
      : new LoopShardError(
          'VALUE_MISMATCH',
          'Invalid value: it does not match its schema, and changes each time it is read.',
        );
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
 * Compiles a schema. Takes about a millisecond for a small one, so do it once.
 * @param schema a JSON Schema; a TypeBox schema, which also defines the type of the values; or a Standard Schema that can be converted
 *   to JSON Schema
 * @throws LoopShardError SCHEMA_INVALID, OPTION_INVALID, OPTION_UNKNOWN
 */
export function compileWriter<const S>(schema: S, options?: WriterOptions): CompiledWriter<Infer<S>> {
  return new CompiledWriter<Infer<S>>(schema, options);
}

/** @throws LoopShardError OPTION_INVALID, OPTION_UNKNOWN */
function checkOptions(options: WriterOptions): void {
  checkOptionNames(options, [...Object.keys(CHECKED), 'schemas'], '`compileWriter()`');
  for (const [name, allowed] of Object.entries(CHECKED)) {
    const value = options[name as keyof WriterOptions];
    if (value !== undefined) checkOption(name, value, allowed);
  }
}

/**
 * Reads a schema. Returns its root part and the maximum nesting of its values.
 * @throws LoopShardError SCHEMA_INVALID
 */
function read(schema: unknown, schemas: WriterOptions['schemas']): { part: Part; depth: number } {
  try {
    const part = new PartReader(jsonSchemaOf(schema), schemas).root();
    return { part, depth: depthOf(part) };
  } catch (cause) {
    if (!isStackOverflow(cause)) throw cause;
    throw new LoopShardError('SCHEMA_INVALID', 'Invalid schema: it is nested too deeply.', { cause });
  }
}

let compilations = 0;

/**
 * Compiles a source that is made unique: V8 shares type feedback between functions with the same source, and would then treat captured
 * values, above all the WASM functions, as variable.
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
