import { types } from 'node:util';
import { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { Generator } from './codegen.js';
import { BAIL, FULL, type Lane, type LaneFactory, openLane } from './lane.js';
import { PlainLane } from './plain.js';
import { type Node, Planner } from './plan.js';
import type { Infer, WriterOptions } from './schema.js';
import { staging } from './standalone.js';

const DEFAULT_MAX_DEPTH = 1000;

/** What `explain` tells. */
export interface WriterExplanation {
  /** 'wasm': formed in shared memory by generated code and the WASM kernels. 'v8': formed by JSON.stringify, then copied. */
  lane: 'wasm' | 'v8';
  /** Why this lane. */
  reason: string;
  /**
   * Values so far that the lane gave up and that JSON.stringify wrote: lone surrogates, objects with toJSON of their own,
   * proxies and the like. Slow but right; a number that grows with every value is worth a look.
   */
  fallbacks: number;
}

/** Writes the values of one schema. Made by `compileWriter`; for use in the thread that made it. */
export class CompiledWriter<T = unknown> {
  readonly #plain: PlainLane;
  readonly #generator: Generator | undefined;
  readonly #source: string = '';
  readonly #compiles: boolean = false;
  readonly #explanation: WriterExplanation;
  readonly #maxDepth: number;
  readonly #lanes = new WeakMap<CoreMemory, Lane | null>();
  #lane: Lane | null = null;
  #core: CoreMemory | undefined;

  constructor(schema: unknown, options: WriterOptions = {}) {
    const { coerce = false, maxDepth = DEFAULT_MAX_DEPTH, unlisted = 'omit', lane = 'auto' } = options;
    if (!Number.isInteger(maxDepth) || maxDepth < 1) {
      throw new LoopShardError('OPTION_INVALID', `maxDepth is an integer from 1, not ${maxDepth}.`);
    }
    const root: Node = new Planner(schema, unlisted).plan(schema);
    this.#maxDepth = maxDepth;
    this.#plain = new PlainLane(root, coerce, maxDepth);
    if (lane === 'v8') {
      this.#explanation = { lane: 'v8', reason: 'The option lane asks for it.', fallbacks: 0 };
      return;
    }
    this.#generator = new Generator(root, maxDepth);
    this.#source = this.#generator.source(root);
    this.#compiles = compileSource(this.#source) !== undefined;
    if (this.#compiles && root.kind === 'any' && lane === 'auto') {
      const reason = 'The schema says nothing of its values: JSON.stringify forms the text, which is written at once.';
      this.#explanation = { lane: 'v8', reason, fallbacks: 0 };
      return;
    }
    this.#explanation = this.#compiles
      ? {
          lane: 'wasm',
          reason:
            lane === 'wasm'
              ? 'The option lane asks for it.'
              : 'It is the faster, or as fast, for typed schemas on every version of V8 that was measured.',
          fallbacks: 0,
        }
      : { lane: 'v8', reason: 'This process forbids generating code from strings.', fallbacks: 0 };
  }

  /** Which machinery writes, and why. */
  explain(): WriterExplanation {
    return { ...this.#explanation };
  }

  /**
   * Writes straight into the memory of `core`, from `position`, never at or past `limit`. The bytes between must be the
   * calling thread's own.
   * @returns the position behind the value, or 0 if it does not fit: then call `toBytes`
   * @throws LoopShardError VALUE_MISMATCH, DEPTH_EXCEEDED; whatever a getter or toJSON method of the value throws
   */
  write(core: CoreMemory, position: number, limit: number, value: T): number {
    const lane = core === this.#core ? this.#lane : this.#open(core);
    if (lane === null || lane.tape.busy) return this.#writePlain(core, position, limit, value);
    const { tape } = lane;
    tape.busy = true;
    try {
      return lane.write(position, limit, value);
    } catch (reason) {
      if (reason === FULL) return 0;
      if (!isForPlainLane(reason)) throw reason;
    } finally {
      tape.busy = false;
    }
    this.#explanation.fallbacks++;
    return this.#writePlain(core, position, limit, value);
  }

  /**
   * The value in memory of its own, which can be transferred.
   * @throws as `write` does
   */
  toBytes(value: T): Uint8Array<ArrayBuffer> {
    for (let size = 0; this.#compiles; size++) {
      const region = staging(size);
      if (region === undefined) break;
      const end = this.write(region.core, region.start, region.limit, value);
      if (end !== 0) return region.core.u8.slice(region.start, end) as unknown as Uint8Array<ArrayBuffer>;
    }
    return encoded(this.#plain.text(value));
  }

  /**
   * Writes at `offset` of `target`, and not past its end.
   * @returns the offset behind the value, or 0 if it does not fit
   * @throws LoopShardError OPTION_INVALID if the offset lies outside; as `write` does
   */
  writeInto(target: Uint8Array | CoreMemory, offset: number, value: T): number {
    const size = target instanceof CoreMemory ? target.buffer.byteLength : target.length;
    if (!Number.isInteger(offset) || offset < 0 || offset > size) {
      throw new LoopShardError('OPTION_INVALID', `The offset is an integer from 0 to ${size}, not ${offset}.`);
    }
    if (target instanceof CoreMemory) return this.write(target, offset, size, value);
    const region = staging(0);
    const end = region && this.#compiles ? this.write(region.core, region.start, region.limit, value) : 0;
    const bytes = region && end ? region.core.u8.subarray(region.start, end) : this.toBytes(value);
    if (bytes.length > size - offset) return 0;
    target.set(bytes, offset);
    return offset + bytes.length;
  }

  #open(core: CoreMemory): Lane | null {
    let lane = this.#lanes.get(core);
    if (lane === undefined) {
      const { nodes, fragments } = this.#generator ?? {};
      const factory = this.#compiles ? compileSource(this.#source) : undefined;
      lane = null;
      if (factory && fragments && nodes) {
        lane = openLane(core, factory, fragments, nodes, this.#plain, this.#maxDepth) ?? null;
      }
      this.#lanes.set(core, lane);
    }
    this.#core = core;
    this.#lane = lane;
    return lane;
  }

  #writePlain(core: CoreMemory, position: number, limit: number, value: T): number {
    const text = this.#plain.text(value);
    if (text.length > limit - position) return 0;
    const size = Buffer.byteLength(text);
    if (size > limit - position) return 0;
    return position + core.bytes.write(text, position, size, 'utf8');
  }
}

/**
 * Compiles a schema. Expensive (about a millisecond): do it once.
 * @param schema JSON Schema, or a TypeBox schema, whose type the values then have
 * @throws LoopShardError SCHEMA_INVALID, OPTION_INVALID
 */
export function compileWriter<const S>(schema: S, options?: WriterOptions): CompiledWriter<Infer<S>> {
  return new CompiledWriter<Infer<S>>(schema, options);
}

let compilations = 0;

/**
 * Every compilation has a source of its own: V8 shares what it has learned between functions of the same source, and
 * then treats what each of them closes over, the WASM functions above all, as variable.
 */
function compileSource(source: string): LaneFactory | undefined {
  try {
    return new Function('env', `${source}\n// ${compilations++}`) as LaneFactory;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function isForPlainLane(reason: unknown): boolean {
  if (reason === BAIL || reason instanceof LoopShardError) return true;
  return types.isNativeError(reason) && reason.name === 'RangeError' && reason.message.includes('call stack');
}

function encoded(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}
