import { types } from 'node:util';
import { LoopShardError } from '../errors.js';
import { ARRAY, BOOLEAN, type Choice, FRACTION, INTEGER, NULL, NUMBER, OBJECT, type Part, STRING } from './parts.js';
import { Converted, isAbsent, isList, jsonEqual, unboxed } from './values.js';

/** Thrown by a judge that would have to run code of the value, such as getters: the value must be settled first. */
export const UNSETTLED = Symbol('unsettled');

/** Usual maximum of parts and choices for one level of a value. */
const STEPS_PER_LEVEL = 16;

/** Returns the type of a prepared value as a bit; 0 for values that JSON cannot represent. */
export function typeOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return STRING;
    case 'number':
      return Number.isInteger(value) ? INTEGER : FRACTION;
    case 'bigint':
      return INTEGER;
    case 'boolean':
      return BOOLEAN;
    case 'object':
      if (value === null) return NULL;
      return isList(value) ? ARRAY : OBJECT;
    default:
      return 0;
  }
}

/**
 * Decides whether a value is valid under a part, by all keywords of the specification (`format` is an annotation), without running
 * code of the value. Each object is judged once for each part, so a judgement takes time linear in the size of the value.
 */
export class Judge {
  readonly #maxDepth: number;
  readonly #verdicts = new Map<object, Map<Part | Choice, unknown>>();
  #depth = 0;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  /** Clears the cached verdicts, because values may change from now on. */
  reset(): void {
    this.#depth = 0;
    if (this.#verdicts.size > 0) this.#verdicts.clear();
  }

  /**
   * Returns the indexes of the branches that apply; `undefined` if the value matches none.
   * @throws UNSETTLED; LoopShardError DEPTH_EXCEEDED
   */
  decide(choice: Choice, raw: unknown): readonly number[] | undefined {
    const value = judged(raw);
    return this.#once(choice, value, () => this.#decide(choice, value));
  }

  #decide({ kind, branches, key }: Choice, value: unknown): readonly number[] | undefined {
    switch (kind) {
      case 'any': {
        const matching = [...branches.keys()].filter((i) => this.#isValid(branches[i], value));
        return matching.length > 0 ? matching : undefined;
      }
      case 'one': {
        const index = branches.findIndex((branch) => this.#isValid(branch, value));
        return index >= 0 ? [index] : undefined;
      }
      case 'if':
        return this.#isValid(branches[0], value) ? [0, 1] : [2];
      case 'dependent':
        return typeOf(value) === OBJECT && !isAbsent(peek(value as object, key)) ? [0] : [];
    }
  }

  #once<T>(subject: Part | Choice, value: unknown, judge: () => T): T {
    if (typeof value !== 'object' || value === null) return judge();
    let verdicts = this.#verdicts.get(value);
    if (verdicts === undefined) this.#verdicts.set(value, (verdicts = new Map()));
    if (verdicts.has(subject)) return verdicts.get(subject) as T;
    if (++this.#depth > STEPS_PER_LEVEL * this.#maxDepth) throw tooDeep(this.#maxDepth);
    const verdict = judge();
    this.#depth--;
    verdicts.set(subject, verdict);
    return verdict;
  }

  #isValid(part: Part, raw: unknown): boolean {
    const value = judged(raw);
    return this.#once(part, value, () => this.#judge(part, value));
  }

  #judge(part: Part, value: unknown): boolean {
    const type = typeOf(value);
    if ((part.types & type) === 0) return false;
    if (part.constants !== undefined && !part.constants.some((constant) => jsonEqual(constant, value))) return false;
    if (type === OBJECT && !this.#hasRequired(part, value as object)) return false;
    if (!part.same.every((next) => this.#isValid(next, value))) return false;
    if (!this.#fits(part, type, value)) return false;
    if (part.not !== undefined && this.#isValid(part.not, value)) return false;
    return part.choices.every((choice) => this.#follows(choice, value)) && this.#leavesNothing(part, type, value);
  }

  /** Whether the branches that apply are valid: `decide` does not judge `then`, `else` and dependent schemas. */
  #follows(choice: Choice, value: unknown): boolean {
    const decided = this.#once(choice, value, () => this.#decide(choice, value));
    if (decided === undefined) return false;
    if (choice.kind === 'one') return this.#isOnly(choice, decided[0], value);
    return choice.kind === 'any' || decided.every((i) => this.#isValid(choice.branches[i], value));
  }

  /** Whether no second branch of `oneOf` matches. Writers use the first match, but in a condition `oneOf` needs exactly one. */
  #isOnly({ branches }: Choice, index: number, value: unknown): boolean {
    return !branches.some((branch, i) => i > index && this.#isValid(branch, value));
  }

  #fits(part: Part, type: number, value: unknown): boolean {
    if (type & NUMBER) return fitsNumber(part, value as number | bigint);
    if (type === STRING) return fitsString(part, value as string);
    if (type === ARRAY) return this.#fitsArray(part, value as ArrayLike<unknown>);
    return type !== OBJECT || this.#fitsObject(part, value as object);
  }

  #fitsArray(part: Part, list: ArrayLike<unknown>): boolean {
    if (list.length < part.minItems || list.length > part.maxItems) return false;
    if (part.prefix.length > 0 || part.items !== undefined) {
      for (let i = 0; i < list.length; i++) {
        const schema = part.prefix[i] ?? part.items;
        if (schema !== undefined && !this.#isValid(schema, item(list, i))) return false;
      }
    }
    const { contains } = part;
    if (contains !== undefined) {
      let found = 0;
      for (let i = 0; i < list.length; i++) if (this.#isValid(contains, item(list, i))) found++;
      if (found < part.minContains || found > part.maxContains) return false;
    }
    return !part.uniqueItems || isUnique(list);
  }

  #hasRequired(part: Part, object: object): boolean {
    return part.required.every((key) => Object.hasOwn(object, key) && !isAbsent(peek(object, key)));
  }

  #fitsObject(part: Part, object: object): boolean {
    for (const [key, schema] of part.properties ?? []) {
      const value = peek(object, key);
      if (!isAbsent(value) && !this.#isValid(schema, value)) return false;
    }
    if (!dependencies(part, object)) return false;
    const { patterns, additional, propertyNames, minProperties, maxProperties } = part;
    const counts = minProperties > 0 || maxProperties < Number.POSITIVE_INFINITY;
    if (!counts && patterns.length === 0 && additional === undefined && propertyNames === undefined) return true;
    const keys = presentKeys(object);
    if (keys.length < minProperties || keys.length > maxProperties) return false;
    for (const key of keys) {
      if (propertyNames !== undefined && !this.#isValid(propertyNames, key)) return false;
      let isListed = part.properties?.has(key) ?? false;
      for (const [pattern, schema] of patterns) {
        if (!pattern.test(key)) continue;
        isListed = true;
        if (!this.#isValid(schema, peek(object, key))) return false;
      }
      if (!isListed && additional !== undefined && !this.#isValid(additional, peek(object, key))) return false;
    }
    return true;
  }

  /** Checks `unevaluatedProperties` and `unevaluatedItems`, for properties and items that no applicable part has evaluated. */
  #leavesNothing(part: Part, type: number, value: unknown): boolean {
    if (type === OBJECT && part.unevaluatedProperties !== undefined) {
      for (const key of presentKeys(value as object)) {
        if (this.#evaluatesKey(part, value as object, key, part.unevaluatedProperties)) continue;
        if (!this.#isValid(part.unevaluatedProperties, peek(value as object, key))) return false;
      }
    }
    if (type === ARRAY && part.unevaluatedItems !== undefined) {
      const list = value as ArrayLike<unknown>;
      for (let i = 0; i < list.length; i++) {
        if (this.#evaluatesItem(part, list, i, part.unevaluatedItems)) continue;
        if (!this.#isValid(part.unevaluatedItems, item(list, i))) return false;
      }
    }
    return true;
  }

  /** @param asking the `unevaluatedProperties` that is being checked, which itself does not count */
  #evaluatesKey(part: Part, object: object, key: string, asking?: Part): boolean {
    if (part.properties?.has(key) || part.additional !== undefined) return true;
    if (part.unevaluatedProperties !== undefined && part.unevaluatedProperties !== asking) return true;
    if (part.patterns.some(([pattern]) => pattern.test(key))) return true;
    return this.#applied(part, object).some((next) => this.#evaluatesKey(next, object, key));
  }

  #evaluatesItem(part: Part, list: ArrayLike<unknown>, i: number, asking?: Part): boolean {
    if (i < part.prefix.length || part.items !== undefined) return true;
    if (part.unevaluatedItems !== undefined && part.unevaluatedItems !== asking) return true;
    if (part.containsEvaluates && part.contains !== undefined && this.#isValid(part.contains, item(list, i)))
      return true;
    return this.#applied(part, list).some((next) => this.#evaluatesItem(next, list, i));
  }

  /** Returns the other parts that apply to the same value. */
  #applied(part: Part, value: object): readonly Part[] {
    const chosen = part.choices.flatMap((choice) => (this.decide(choice, value) ?? []).map((i) => choice.branches[i]));
    return [...part.same, ...chosen];
  }
}

/** Returns the value to judge: the result of its conversion, or the value itself if it needs none. */
function judged(value: unknown): unknown {
  if (value instanceof Converted) return value.json;
  if (typeof value !== 'object' || value === null) return value;
  if (types.isProxy(value) || ('toJSON' in value && !isData(value, 'toJSON'))) throw UNSETTLED;
  return unboxed(value);
}

/** Whether the property is an own property and neither a function nor a getter. */
function isData(object: object, key: string): boolean {
  const property = Object.getOwnPropertyDescriptor(object, key);
  return property !== undefined && 'value' in property && typeof property.value !== 'function';
}

/** Returns the value of a property without calling a getter. */
export function peek(object: object, key: string): unknown {
  const property = Object.getOwnPropertyDescriptor(object, key);
  if (property === undefined || !property.enumerable) return undefined;
  if (!('value' in property)) throw UNSETTLED;
  return property.value;
}

/** Returns the value of an item; null if JSON.stringify cannot represent it. */
function item(list: ArrayLike<unknown>, i: number): unknown {
  const value = types.isTypedArray(list) ? list[i] : peek(list, String(i));
  return isAbsent(value) ? null : value;
}

function presentKeys(object: object): string[] {
  return Object.keys(object).filter((key) => !isAbsent(peek(object, key)));
}

function dependencies(part: Part, object: object): boolean {
  const isPresent = (key: string) => !isAbsent(peek(object, key));
  return part.dependentRequired.every(([key, needed]) => !isPresent(key) || needed.every(isPresent));
}

function isUnique(list: ArrayLike<unknown>): boolean {
  const seen = new Set<unknown>();
  const objects: unknown[] = [];
  for (let i = 0; i < list.length; i++) {
    const value = judged(item(list, i));
    if (typeof value === 'object' && value !== null) {
      if (objects.some((other) => jsonEqual(other, value))) return false;
      objects.push(value);
    } else {
      if (seen.has(value)) return false;
      seen.add(value);
    }
  }
  return true;
}

function fitsNumber(part: Part, value: number | bigint): boolean {
  if (value < part.minimum || value > part.maximum) return false;
  if (value <= part.exclusiveMinimum || value >= part.exclusiveMaximum) return false;
  return part.multipleOf === 0 || isMultiple(Number(value), part.multipleOf);
}

/** Whether `value` is a multiple in decimal: 0.0075 is a multiple of 0.0001, although the quotient of the doubles is not an integer. */
function isMultiple(value: number, divisor: number): boolean {
  const quotient = value / divisor;
  if (!Number.isFinite(quotient)) return Number.isFinite(value) && Number.isInteger(1 / divisor);
  return Math.abs(quotient - Math.round(quotient)) <= Number.EPSILON * Math.abs(quotient);
}

function fitsString(part: Part, value: string): boolean {
  if (part.minLength > 0 || part.maxLength < Number.POSITIVE_INFINITY) {
    const length = characters(value);
    if (length < part.minLength || length > part.maxLength) return false;
  }
  return part.pattern === undefined || part.pattern.test(value);
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function tooDeep(maxDepth: number): LoopShardError {
  return new LoopShardError(
    'DEPTH_EXCEEDED',
    `Invalid value: it is nested more than ${maxDepth} levels deep. Remove the cycle, or raise \`maxDepth\`.`,
  );
}
