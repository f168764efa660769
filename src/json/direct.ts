import { types } from 'node:util';
import type { CoreMemory } from '../core/memory.js';
import { LoopShardError } from '../errors.js';
import { checkOptionNames } from '../option-names.js';
import { Nesting } from './nesting.js';
import { untyped } from './plain.js';
import { type Grow, type NumberArray, Region } from './region.js';
import { borrow, giveBack, type Loan } from './standalone.js';
import { checkOption } from './writer-options.js';

const DEFAULT_MAX_DEPTH = 1000;
const COMMA = 0x2c;
const NAMES: readonly (keyof JsonWriterOptions)[] = ['maxDepth', 'opaque', 'core', 'position', 'limit', 'grow'];

/** Options of a JsonWriter. */
export interface JsonWriterOptions {
  /** Maximum nesting of objects and arrays. Default 1,000. */
  maxDepth?: number;
  /** What `value()` does with objects whose content JSON.stringify does not see, as in `WriterOptions`. Default 'write'. */
  opaque?: 'write' | 'reject';
  /** Shared memory to write into. When it is full, private memory is used. Default: private memory only. */
  core?: CoreMemory;
  /** Address of the region of `core` that the calling thread owns. */
  position?: number;
  /** Address after the region. */
  limit?: number;
  /**
   * Provides a larger region of `core` when this one is full, and copies the bytes written to its beginning. Default: none; private
   * memory is used.
   */
  grow?: Grow;
}

/**
 * Writes a JSON document part by part, without building objects first. Nesting is checked: a misplaced part throws NESTING_INVALID and
 * leaves the document unchanged. Every method returns the writer.
 *
 * For the thread that created it.
 */
export class JsonWriter {
  readonly #nesting: Nesting;
  readonly #region: Region;
  /** A region borrowed until `finish`. */
  readonly #loan: Loan | undefined;
  readonly #given: boolean;
  readonly #rejectsOpaque: boolean;
  #result: Uint8Array | undefined;

  /**
   * Unknown options are ignored if `core` is passed, since servers create such a writer for each response.
   * @throws LoopShardError OPTION_INVALID, also if a core is passed without a region; OPTION_UNKNOWN
   */
  constructor(options: JsonWriterOptions = {}) {
    const { core, position, limit, grow, maxDepth = DEFAULT_MAX_DEPTH, opaque = 'write' } = options;
    checkOption('maxDepth', maxDepth, 'positive integer');
    checkOption('opaque', opaque, ['write', 'reject']);
    this.#nesting = new Nesting(maxDepth);
    this.#given = core !== undefined;
    this.#rejectsOpaque = opaque === 'reject';
    if (core === undefined) {
      checkOptionNames(options, NAMES, '`JsonWriter`');
      this.#loan = borrow();
      this.#region = new Region(this.#loan?.core, this.#loan?.start ?? 0, this.#loan?.limit ?? 0);
      return;
    }
    if (position === undefined || limit === undefined || !(position <= limit && limit <= core.buffer.byteLength)) {
      throw new LoopShardError(
        'OPTION_INVALID',
        'Option `core` needs `position` and `limit`, the range of bytes that the writer may use.',
      );
    }
    this.#region = new Region(core, position, limit, grow);
  }

  /** Number of bytes written so far. */
  get length(): number {
    return this.#region.length;
  }

  /** Whether everything written is in the given region; otherwise `finish` returns private bytes. */
  get inPlace(): boolean {
    return this.#given && this.#region.inPlace;
  }

  /** The address after the last byte, while `inPlace`. */
  get position(): number {
    return this.#region.position;
  }

  /**
   * Begins an object.
   * @throws LoopShardError NESTING_INVALID, DEPTH_EXCEEDED
   */
  beginObject(): this {
    this.#open(true, 0x7b);
    return this;
  }

  /**
   * Ends the current object.
   * @throws LoopShardError NESTING_INVALID
   */
  endObject(): this {
    this.#nesting.end(true);
    this.#region.byte(0x7d);
    return this;
  }

  /**
   * Begins an array.
   * @throws LoopShardError NESTING_INVALID, DEPTH_EXCEEDED
   */
  beginArray(): this {
    this.#open(false, 0x5b);
    return this;
  }

  /**
   * Ends the current array.
   * @throws LoopShardError NESTING_INVALID
   */
  endArray(): this {
    this.#nesting.end(false);
    this.#region.byte(0x5d);
    return this;
  }

  /**
   * Writes the key of the next value of an object.
   * @throws LoopShardError NESTING_INVALID
   */
  key(name: string): this {
    expectType(name, 'string', 'key');
    if (this.#nesting.key() !== 0) this.#region.byte(COMMA);
    this.#region.string(name);
    this.#region.byte(0x3a);
    return this;
  }

  /**
   * Writes a string.
   * @throws LoopShardError NESTING_INVALID
   */
  string(value: string): this {
    expectType(value, 'string', 'string');
    this.#before();
    this.#region.string(value);
    return this;
  }

  /** Writes a number. NaN and infinities become null, as in JSON.stringify. */
  number(value: number): this {
    expectType(value, 'number', 'number');
    this.#before();
    this.#region.number(value);
    return this;
  }

  /**
   * Writes an integer.
   * @throws LoopShardError VALUE_MISMATCH for a fraction, NaN or an infinity
   */
  integer(value: number | bigint): this {
    if (typeof value !== 'bigint' && !Number.isInteger(value)) throw mismatch('integer', value);
    this.#before();
    if (typeof value === 'bigint') this.#region.text(String(value));
    else this.#region.number(value);
    return this;
  }

  /**
   * Writes `true` or `false`.
   * @throws LoopShardError NESTING_INVALID
   */
  boolean(value: boolean): this {
    expectType(value, 'boolean', 'boolean');
    this.#before();
    this.#region.text(value ? 'true' : 'false');
    return this;
  }

  /**
   * Writes `null`.
   * @throws LoopShardError NESTING_INVALID
   */
  null(): this {
    this.#before();
    this.#region.text('null');
    return this;
  }

  /** Writes an array of numbers, such as a vector from a model or a column of a table. */
  numbers(values: NumberArray): this {
    if (!types.isTypedArray(values) || types.isBigInt64Array(values) || types.isBigUint64Array(values)) {
      throw mismatch('numbers', values);
    }
    this.#before();
    this.#region.byte(0x5b);
    this.#region.numbers(values);
    this.#region.byte(0x5d);
    return this;
  }

  /** Writes bytes that are already a JSON value. They are not checked. */
  raw(bytes: Uint8Array): this {
    if (!types.isUint8Array(bytes)) throw mismatch('raw', bytes);
    this.#before();
    this.#region.raw(bytes);
    return this;
  }

  /**
   * Writes any value, like JSON.stringify.
   * @throws LoopShardError VALUE_MISMATCH, DEPTH_EXCEEDED; whatever a getter or toJSON method of the value throws
   */
  value(value: unknown): this {
    const text = untyped(value, '', [], this.#rejectsOpaque);
    if (text === undefined) throw mismatch('value', value);
    this.#before();
    this.#region.text(text);
    return this;
  }

  /**
   * Ends the document. May be called again.
   * @returns a view of the region if `inPlace`, otherwise private bytes
   * @throws LoopShardError NESTING_INVALID if something is still open, or nothing was written
   */
  finish(): Uint8Array {
    if (this.#result !== undefined) return this.#result;
    this.#nesting.finish();
    const bytes = this.#region.bytes();
    this.#result = this.#given || !this.#region.inPlace ? bytes : Uint8Array.from(bytes);
    giveBack(this.#loan);
    return this.#result;
  }

  /** Takes the region away from the writer: every further part throws. May be called at any time. */
  abandon(): void {
    this.#nesting.close();
    if (this.#result === undefined) giveBack(this.#loan);
    this.#result ??= new Uint8Array(0);
  }

  #open(object: boolean, bracket: number): void {
    this.#nesting.begin(object, () => this.#before());
    this.#region.byte(bracket);
  }

  #before(): void {
    if (this.#nesting.value() !== 0) this.#region.byte(COMMA);
  }
}

function expectType(value: unknown, type: string, method: string): void {
  if (typeof value !== type) throw mismatch(method, value);
}

function mismatch(method: string, value: unknown): LoopShardError {
  const kind = value === null ? 'null' : typeof value === 'number' ? String(value) : typeof value;
  return new LoopShardError('VALUE_MISMATCH', `Invalid argument of \`${method}()\`: it cannot write ${kind}.`);
}
