import { TOKEN_NOTHING, TOKEN_NULL } from '../../assembly/json/layout.js';
import { Fragments } from './fragments.js';
import { ARRAY, BOOLEAN, FRACTION, NULL, NUMBER, OBJECT, STRING } from './parts.js';
import { append, NONE, type Pending, plain } from './pending.js';
import type { ArrayShape, Extra, Node, ObjectShape, Planner, Property } from './plan.js';
import { RUNTIME } from './runtime.js';
import { Variants } from './variants.js';

const PROPERTIES_PER_GUARD = 40;
const GUARD = 'if (t > TG) flush();';
/** An object with more properties is written by several functions, because V8 does not optimise very large ones. */
const PROPERTIES_PER_FUNCTION = 48;
/** Once a unit has more lines, further containers become separate units instead of being written in place. */
const LINES_PER_UNIT = 400;

/** Objects with more patterns are left to the plain lane, because each subset of patterns needs a case. */
const MAX_PATTERNS = 3;

/** A property that was already read: a discriminator. */
interface Prefetched {
  readonly property: string;
  readonly variable: string;
}

/** A generated function, and the constant text that it writes. */
export interface Unit {
  /** An expression: a function that takes the address of the fragments and returns the generated function. */
  readonly source: string;
  readonly fragments: Fragments;
  /** Numbers of the units that it calls. */
  readonly calls: ReadonlySet<number>;
}

/** A choice that generated code leaves to the selector, and the nodes that it has cases for. */
export interface GeneratedChoice {
  readonly node: Node;
  readonly type: number;
  readonly cases: ReadonlyMap<Node, number>;
}

/**
 * Generates the JavaScript that puts values of one plan on the tape, in units: one function for each node that is large or used in
 * several places, generated when it is first called. All generated names begin with `$`, unlike those of the runtime, and text from
 * schemas appears in string literals only.
 *
 * The generated code reads each value once. Parts that it cannot write are passed to the plain lane. It throws BAIL only for errors.
 */
export class Generator {
  /** Nodes that the generated code refers to by number. */
  readonly nodes: Node[] = [];
  /** Choices that the generated code refers to by number. */
  readonly choices: GeneratedChoice[] = [];
  readonly #planner: Planner;
  readonly #variants: Variants;
  readonly #maxDepth: number;
  /** Whether depth checks are unnecessary, because no value of the schema can be deep enough. */
  readonly #isShallow: boolean;
  readonly #hasFallbacks: boolean;
  readonly #numbers = new Map<Node, number>();
  /** Numbers of units, by node and prefetched property, and what the units write. */
  readonly #unitNumbers = new Map<string, number>();
  readonly #subjects: { readonly node: Node; readonly property: string }[] = [];
  readonly #units: Unit[] = [];
  #fragments = new Fragments();
  #calls = new Set<number>();
  #lines: string[] = [];
  #bodies: string[] = [];
  #tables: string[] = [];
  readonly #waiting: (() => void)[] = [];
  /** Nodes that were written in place. */
  readonly #written = new Set<Node>();
  #names = 0;

  /**
   * @param depth maximum nesting of values of `root`
   * @param coerce whether an absent required property may still be written
   */
  constructor(planner: Planner, root: Node, depth: number, maxDepth: number, coerce: boolean) {
    this.#planner = planner;
    this.#variants = new Variants(planner);
    this.#maxDepth = maxDepth;
    this.#isShallow = depth <= maxDepth;
    this.#hasFallbacks = coerce;
    this.#unitNumber(root, '');
  }

  /** Returns the source of a function body that takes `env` and returns a `LaneCode`. It includes the first unit. */
  source(): string {
    return `${RUNTIME}
const $write = (${this.unit(0).source})(env.fragments);
return {
  write(start, end, value) {
    position = start; limit = end; depth = 0;
    $write(value, '', 0); flush(); return position;
  },
  rewind,
};`;
  }

  /** Yields all units, and generates missing ones. */
  *units(): Iterable<Unit> {
    for (let number = 0; number < this.#subjects.length; number++) yield this.unit(number);
  }

  /** Returns the number of the node that a unit writes, so that it can be written without the unit's code. */
  subject(number: number): number {
    return this.#number(this.#subjects[number].node);
  }

  /** Returns a unit by number. Unit 0 writes the complete value. */
  unit(number: number): Unit {
    return (this.#units[number] ??= this.#generate(number));
  }

  #generate(number: number): Unit {
    const { node, property } = this.#subjects[number];
    this.#fragments = new Fragments();
    this.#calls = new Set();
    this.#bodies = [];
    this.#tables = [];
    const prefetched = property === '' ? undefined : { property, variable: '$d' };
    this.#body('return function ($x, $key, $d)', () =>
      this.#flushPending(this.#inPlace(node, '$x', '$key', NONE, 0, prefetched)),
    );
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) next();
    const source = `F => {\n${[...this.#tables, ...this.#bodies].join('\n')}\n}`;
    return { source, fragments: this.#fragments, calls: this.#calls };
  }

  #unitNumber(node: Node, property: string): number {
    const id = `${node.id}:${property}`;
    let number = this.#unitNumbers.get(id);
    if (number === undefined) {
      number = this.#subjects.push({ node, property }) - 1;
      this.#unitNumbers.set(id, number);
    }
    this.#calls.add(number);
    return number;
  }

  #body(head: string, write: () => void): void {
    const outer = this.#lines;
    this.#lines = [];
    write();
    this.#bodies.push(`${head} {\n${this.#lines.join('\n')}\n}`);
    this.#lines = outer;
  }

  #line(text: string): void {
    this.#lines.push(text);
  }

  #name(): string {
    return `$${this.#names++}`;
  }

  #number(node: Node): number {
    let number = this.#numbers.get(node);
    if (number === undefined) {
      number = this.nodes.push(node) - 1;
      this.#numbers.set(node, number);
    }
    return number;
  }

  /** Returns the expression for the pending fragment, combined with the kind of a token. */
  #fragment(pending: Pending, kind: number = TOKEN_NOTHING): string {
    const name = (text: string) => (text === '' ? String(kind) : `F + ${this.#fragments.offset(text) + kind}`);
    if (pending.first === pending.rest) return name(pending.first);
    return `(${pending.condition} ? ${name(pending.first)} : ${name(pending.rest)})`;
  }

  #flushPending(pending: Pending): void {
    if (pending.first === '' && pending.rest === '') return;
    this.#line(`i32[t++] = ${this.#fragment(pending)};`);
  }

  /** Emits a part, in place or as a call. Returns the pending text that follows it. */
  #emit(node: Node, x: string, key: string, pending: Pending, level: number, prefetched?: Prefetched): Pending {
    if (!this.#planner.isContainer(node)) return this.#inPlace(node, x, key, pending, level, prefetched);
    let after = NONE;
    if (this.#isUnit(node)) {
      this.#flushPending(pending);
      const number = this.#unitNumber(node, prefetched?.property ?? '');
      const call = `units[${number}](${x}, ${key}, ${prefetched?.variable ?? '0'});`;
      this.#line(level === 0 ? call : `depth += ${level}; ${call} depth -= ${level};`);
    } else after = this.#inPlace(node, x, key, pending, level, prefetched);
    // Containers that end here, level by level, must not use up the room on the tape without a check.
    this.#line(GUARD);
    return after;
  }

  /** Whether a container gets its own unit. */
  #isUnit(node: Node): boolean {
    // A node is written in place at most once, so that the code grows with the schema and not with its paths.
    if (this.#planner.isShared(node) || this.#written.has(node) || this.#lines.length > LINES_PER_UNIT) return true;
    this.#written.add(node);
    return false;
  }

  #inPlace(node: Node, x: string, key: string, pending: Pending, level: number, prefetched?: Prefetched): Pending {
    if (this.#planner.isAny(node)) {
      this.#line(`any(${this.#fragment(pending)}, ${x}, ${key}, true);`);
      return NONE;
    }
    const { types, constants } = this.#planner.accepted(node);
    if (types === 0) return this.#constant(node, x, key, pending);
    if (constants.length > 0) return this.#several(node, x, key, pending, level);
    switch (types) {
      case STRING:
      case NUMBER:
      case NUMBER & ~FRACTION:
      case BOOLEAN:
        this.#scalar(types, this.#fragment(pending), x, this.#number(node), key);
        return NONE;
      case NULL:
        this.#line(`if (${x} !== null) confirm(${this.#number(node)}, ${x}, ${key});`);
        return append(pending, 'null');
      case OBJECT:
        return this.#object(node, x, key, pending, level, prefetched);
      case ARRAY:
        return this.#array(node, x, key, pending, level);
      default:
        return this.#several(node, x, key, pending, level);
    }
  }

  #scalar(type: number, f: string, x: string, number: number, key: string): void {
    const call = type & STRING ? 'str' : type & FRACTION ? 'num' : type & NUMBER ? 'int' : 'bool';
    this.#line(`${call}(${f}, ${x}, ${number}, ${key});`);
  }

  #constant(node: Node, x: string, key: string, pending: Pending): Pending {
    const { constants, texts } = this.#planner.accepted(node);
    if (constants.length === 0) {
      this.#line('throw BAIL;');
      return NONE;
    }
    const number = this.#number(node);
    if (constants.length === 1) {
      const differs = typeof constants[0] === 'object' ? '' : `if (${x} !== ${texts[0]}) `;
      this.#line(`${differs}confirm(${number}, ${x}, ${key});`);
      return append(pending, texts[0]);
    }
    const [name, offsets] = [this.#name(), this.#name()];
    this.#tables.push(`const ${offsets} = [${texts.map((text) => this.#fragments.offset(text)).join()}];`);
    this.#line(`const ${name} = constant(${number}, ${x});`);
    this.#line(`if (${name} < 0) odd(${this.#fragment(pending)}, ${x}, ${number}, ${key}); else {`);
    this.#flushPending(pending);
    this.#line(`i32[t++] = F + ${offsets}[${name}];\n}`);
    return NONE;
  }

  /** Emits a node that accepts values of several types. */
  #several(node: Node, x: string, key: string, pending: Pending, level: number): Pending {
    const { types, constants } = this.#planner.accepted(node);
    const number = this.#number(node);
    const f = this.#fragment(pending);
    const branch = (test: string, write: () => void) => {
      this.#line(`if (${test}) {`);
      write();
      this.#line('} else');
    };
    if (types & STRING) branch(`typeof ${x} === 'string'`, () => this.#scalar(STRING, f, x, number, key));
    if (types & NUMBER) branch(`typeof ${x} === 'number'`, () => this.#scalar(types & NUMBER, f, x, number, key));
    if (types & BOOLEAN) branch(`typeof ${x} === 'boolean'`, () => this.#scalar(BOOLEAN, f, x, number, key));
    if (types & NULL) branch(`${x} === null`, () => this.#line(`i32[t++] = ${this.#fragment(pending, TOKEN_NULL)};`));
    if (types & ARRAY) branch(`isList(${x})`, () => this.#flushPending(this.#array(node, x, key, pending, level)));
    if (types & OBJECT) {
      const test = `typeof ${x} === 'object' && ${x} !== null && !isList(${x})`;
      branch(test, () => this.#flushPending(this.#object(node, x, key, pending, level)));
    }
    this.#line('{');
    if (constants.length > 1) this.#constant(node, x, key, pending);
    else this.#line(`odd(${f}, ${x}, ${number}, ${key});`);
    this.#line('}');
    return NONE;
  }

  /** Returns the test for values other than plain objects, which JSON.stringify may treat differently. */
  #isExotic(number: number, x: string): string {
    return (
      `typeof ${x} !== 'object' || ${x} === null || ${x}.toJSON !== undefined || ` +
      `(getPrototypeOf(${x}) !== PLAIN && !isPlain(${number}, ${x}))`
    );
  }

  #object(node: Node, x: string, key: string, pending: Pending, level: number, prefetched?: Prefetched): Pending {
    const number = this.#number(node);
    const shape = node.choice === undefined ? this.#planner.object(node) : undefined;
    const isOneOwn =
      shape !== undefined && this.#planner.describesObjects(node) && shape.patterns.length <= MAX_PATTERNS;
    if (isOneOwn && this.#planner.accepted(node).types === OBJECT) {
      // The text of any object ends with the bracket that is returned as pending.
      this.#line(`if (${this.#isExotic(number, x)}) oddOpen(${this.#fragment(pending)}, ${x}, ${number}, ${key});`);
      this.#line('else {');
      this.#flushPending(this.#members(number, shape, x, pending, level, prefetched));
      this.#line('}');
      return plain('}');
    }
    this.#line(`if (${this.#isExotic(number, x)}) odd(${this.#fragment(pending)}, ${x}, ${number}, ${key});`);
    this.#line('else {');
    if (node.choice !== undefined) this.#choice(node, OBJECT, x, key, pending, level);
    else if (isOneOwn) this.#flushPending(append(this.#members(number, shape, x, pending, level, prefetched), '}'));
    else if (this.#planner.describesObjects(node))
      this.#line(`odd(${this.#fragment(pending)}, ${x}, ${number}, ${key});`);
    else this.#line(`any(${this.#fragment(pending)}, ${x}, ${key}, true);`);
    this.#line('}');
    return NONE;
  }

  #choice(node: Node, type: number, x: string, key: string, pending: Pending, level: number): void {
    const number = this.#number(node);
    const f = this.#fragment(pending);
    const write = (variant: Node, value: string, prefetched?: Prefetched) =>
      this.#flushPending(this.#emit(variant, value, key, pending, level, prefetched));
    const discriminator = type === OBJECT ? this.#planner.discriminator(node) : undefined;
    if (this.#planner.onlyCandidate(node, type) !== undefined) {
      write(this.#variants.of(node, type)[0], x);
    } else if (discriminator !== undefined) {
      const variable = this.#name();
      this.#line(`const ${variable} = ${readOf(discriminator.property, x)};`);
      this.#line(`switch (${variable}) {`);
      for (const [constant, branch] of discriminator.branches) {
        this.#line(`case ${JSON.stringify(constant)}: {`);
        write(this.#planner.variant(node, [branch]), x, { property: discriminator.property, variable });
        this.#line('break; }');
      }
      this.#line(`default: odd(${f}, ${x}, ${number}, ${key}); }`);
    } else {
      const variants = this.#variants.of(node, type);
      const choice = this.choices.push({ node, type, cases: new Map(variants.map((variant, i) => [variant, i])) }) - 1;
      const value = this.#name();
      this.#line(`switch (choose(${choice}, ${x})) {`);
      for (const [i, variant] of variants.entries()) {
        this.#line(`case ${i}: { const ${value} = chosen.value;`);
        write(variant, value);
        this.#line('break; }');
      }
      this.#line(`default: odd(${f}, chosen.value, ${number}, ${key}); }`);
    }
  }

  /** Emits the opening bracket and the properties. Returns the pending text before the closing bracket. */
  #members(
    number: number,
    shape: ObjectShape,
    x: string,
    pending: Pending,
    level: number,
    prefetched?: Prefetched,
  ): Pending {
    this.#line(GUARD);
    this.#checkDepth(level + 1);
    const { properties } = shape;
    const isLarge = properties.length > PROPERTIES_PER_FUNCTION;
    const extras = extraCases(shape);
    const refusesAll = extras.length === 1 && extras[0] === 'reject';
    const count = refusesAll && !isLarge ? this.#name() : '';
    if (count)
      this.#line(
        `let ${count} = ${properties.filter(({ required, fallback }) => required && fallback === undefined).length};`,
      );
    const state = { pending: append(pending, '{'), first: '', open: true };
    if (isLarge) this.#propertyGroups(properties, x, state, level + 1, prefetched);
    else this.#properties(properties, x, state, level + 1, count, prefetched);
    if (count) this.#line(`for (const $_ in ${x}) ${count}--;\nif (${count} !== 0) refuseUnlisted(${number}, ${x});`);
    else if (refusesAll) this.#line(`refuseUnlisted(${number}, ${x});`);
    else if (extras.some((extra) => extra !== 'omit')) this.#extras(extras, number, shape, x, state, level + 1);
    return state.pending;
  }

  #checkDepth(level: number): void {
    if (!this.#isShallow) this.#line(`if (depth > ${this.#maxDepth - level}) throw BAIL;`);
  }

  #propertyGroups(
    properties: readonly Property[],
    x: string,
    state: PropertyState,
    level: number,
    prefetched?: Prefetched,
  ): void {
    for (let at = 0; at < properties.length; at += PROPERTIES_PER_FUNCTION) {
      const group = properties.slice(at, at + PROPERTIES_PER_FUNCTION);
      this.#settle(state);
      if (state.open && !state.first) this.#line(`let ${(state.first = this.#name())} = true;`);
      const name = this.#name();
      const result = state.open ? `${state.first} = ` : '';
      this.#line(`${result}${name}(${x}, ${state.first || 'false'}, ${prefetched?.variable ?? '0'});`);
      const inner: PropertyState = { pending: NONE, first: state.open ? '$first' : '', open: state.open };
      this.#waiting.push(() =>
        this.#body(`function ${name}($x, $first, $d)`, () => {
          this.#properties(group, '$x', inner, level, '', prefetched && { ...prefetched, variable: '$d' });
          this.#settle(inner);
          this.#line(`return ${inner.open ? '$first' : 'false'};`);
        }),
      );
      if (group.some(({ required, fallback }) => required || fallback !== undefined)) state.open = false;
    }
  }

  #settle(state: PropertyState): void {
    this.#flushPending(state.pending);
    state.pending = NONE;
  }

  #properties(
    properties: readonly Property[],
    x: string,
    state: PropertyState,
    level: number,
    count: string,
    prefetched?: Prefetched,
  ): void {
    for (const [index, property] of properties.entries()) {
      if (index % PROPERTIES_PER_GUARD === PROPERTIES_PER_GUARD - 1) this.#line(GUARD);
      const value = this.#name();
      const read = property.key === prefetched?.property ? prefetched.variable : readOf(property.key, x);
      const key = JSON.stringify(property.key);
      this.#line(`let ${value} = ${read};`);
      if (property.fallback !== undefined || (property.required && this.#hasFallbacks)) {
        this.#withFallback(property, value, key, state, level, count);
      } else if (property.required) {
        this.#line(`if (${value} === undefined) throw BAIL;`);
        state.pending = this.#emit(property.node, value, key, this.#labelled(state, property.label), level);
        state.open = false;
      } else {
        this.#settle(state);
        if (state.open && !state.first) this.#line(`let ${(state.first = this.#name())} = true;`);
        this.#line(`if (${this.#isPresent(property.node, value, key)}) {`);
        this.#flushPending(this.#emit(property.node, value, key, this.#labelled(state, property.label), level));
        if (state.open) this.#line(`${state.first} = false;`);
        if (count) this.#line(`${count}++;`);
        this.#line('}');
      }
    }
  }

  /** Emits a property that is written even if it is absent. */
  #withFallback(
    { node, label, fallback, required }: Property,
    value: string,
    key: string,
    state: PropertyState,
    level: number,
    count: string,
  ): void {
    const waiting = this.#labelled(state, label);
    this.#line(`if (${this.#isPresent(node, value, key)}) {`);
    this.#flushPending(this.#emit(node, value, key, waiting, level));
    if (count && !(required && fallback === undefined)) this.#line(`${count}++;`);
    this.#line('} else {');
    if (fallback !== undefined) this.#flushPending(append(waiting, fallback));
    else {
      this.#line(`raw(${this.#fragment(waiting)}, absent(${this.#number(node)}));`);
      if (count) this.#line(`${count}--;`);
    }
    this.#line('}');
    state.pending = NONE;
    state.open = false;
  }

  /**
   * Returns the test whether a property is written. If `toJSON` returns undefined, the property counts as absent, so objects with
   * `toJSON` are converted here, once.
   */
  #isPresent(node: Node, value: string, key: string): string {
    const { types } = this.#planner.accepted(node);
    const isPlain: string[] = [];
    if (types & STRING) isPlain.push(`typeof ${value} === 'string'`);
    if (types & NUMBER) isPlain.push(`typeof ${value} === 'number'`);
    if (types & BOOLEAN) isPlain.push(`typeof ${value} === 'boolean'`);
    if (types & NULL) isPlain.push(`${value} === null`);
    if (types & (OBJECT | ARRAY)) {
      isPlain.push(`(typeof ${value} === 'object' && ${value} !== null && ${value}.toJSON === undefined)`);
    }
    const test = [...isPlain, `(${value} = converted(${value}, ${key})) !== undefined`].join(' || ');
    return `${value} !== undefined && (${test})`;
  }

  #labelled({ pending, open, first }: PropertyState, label: string): Pending {
    if (!open) return append(pending, `,${label}`);
    return first ? { condition: first, first: label, rest: `,${label}` } : append(pending, label);
  }

  /** Emits unlisted properties, by the patterns that their names match. */
  #extras(
    extras: readonly Extra[],
    number: number,
    shape: ObjectShape,
    x: string,
    state: PropertyState,
    level: number,
  ): void {
    this.#settle(state);
    const [key, value] = [this.#name(), this.#name()];
    if (state.open && !state.first) this.#line(`let ${(state.first = this.#name())} = true;`);
    this.#line(`for (const ${key} of keys(${x})) {`);
    if (shape.properties.length > 0) this.#line(`if (isListed(${number}, ${key})) continue;`);
    if (extras.length > 1) this.#line(`switch (matchesOf(${number}, ${key})) {`);
    for (const [matches, extra] of extras.entries()) {
      if (extras.length > 1) this.#line(`case ${matches}: {`);
      this.#extra(extra, key, value, x, state, level);
      if (extras.length > 1) this.#line('break; }');
    }
    this.#line(extras.length > 1 ? '} }' : '}');
  }

  #extra(extra: Extra, key: string, value: string, x: string, state: PropertyState, level: number): void {
    if (extra === 'omit') return this.#line('continue;');
    this.#line(`let ${value} = ${x}[${key}];`);
    if (extra === 'reject') return this.#line(`if (!isAbsent(${value})) throw BAIL;`);
    this.#line(`if (!(${this.#isPresent(extra, value, key)})) continue;`);
    this.#line(GUARD);
    this.#line(`str(${state.open ? `${state.first} ? 0 : COMMA` : 'COMMA'}, ${key});`);
    if (state.open) this.#line(`${state.first} = false;`);
    this.#flushPending(this.#emit(extra, value, key, plain(':'), level));
  }

  #array(node: Node, x: string, key: string, pending: Pending, level: number): Pending {
    const number = this.#number(node);
    const isExotic = `!isArray(${x}) ? !isVector(${x}) : ${x}.toJSON !== undefined`;
    if (node.choice !== undefined) {
      this.#line(`if (${isExotic}) odd(${this.#fragment(pending)}, ${x}, ${number}, ${key});`);
      this.#line('else {');
      this.#choice(node, ARRAY, x, key, pending, level);
      this.#line('}');
      return NONE;
    }
    const shape = this.#planner.array(node);
    if (shape.prefix.length === 0 && this.#planner.isAny(shape.items)) {
      // As JSON.stringify does, except for typed arrays, which it would write as objects.
      this.#line(
        `if (!isArray(${x}) || ${x}.toJSON !== undefined) odd(${this.#fragment(pending)}, ${x}, ${number}, ${key});`,
      );
      this.#line('else {');
      this.#bounds(shape, x);
      this.#line(`any(${this.#fragment(pending)}, ${x}, ${key}, true);\n}`);
      return NONE;
    }
    if (pending.condition) {
      this.#flushPending(pending);
      pending = NONE;
    }
    const size = this.#name();
    const f = this.#fragment(pending);
    // If only arrays are accepted, any text ends with the bracket that is returned as pending.
    const isOnly = this.#planner.accepted(node).types === ARRAY;
    this.#line(`let ${size} = 1;`);
    this.#line(`if (${isExotic}) ${isOnly ? 'oddOpen' : 'odd'}(${f}, ${x}, ${number}, ${key});`);
    this.#line(`else {\n${size} = ${x}.length;`);
    const after = this.#items(shape, x, size, append(pending, '['), level + 1);
    if (!isOnly) this.#flushPending(after);
    this.#line('}');
    return isOnly ? after : NONE;
  }

  #bounds({ minItems, maxItems }: ArrayShape, x: string): void {
    if (minItems > 0) this.#line(`if (${x}.length < ${minItems}) throw BAIL;`);
    if (maxItems < Number.POSITIVE_INFINITY) this.#line(`if (${x}.length > ${maxItems}) throw BAIL;`);
  }

  /** Emits the opening bracket and the items. Returns the pending text after the last one. */
  #items(shape: ArrayShape, x: string, size: string, opening: Pending, level: number): Pending {
    const { prefix, items } = shape;
    this.#bounds(shape, x);
    this.#checkDepth(level);
    const after: Pending = { condition: `${size} === 0`, first: `${opening.first}]`, rest: ']' };
    const list = prefix.length === 0 ? this.#listCall(items) : undefined;
    if (list !== undefined) {
      this.#line(`if (${size} > 0) ${list}(${this.#fragment(opening)}, ${x}, ${this.#number(items)});`);
      return after;
    }
    const [i, value] = [this.#name(), this.#name()];
    this.#line(`for (let ${i} = 0; ${i} < ${size}; ${i}++) {`);
    this.#line(GUARD);
    this.#line(`const ${value} = ${x}[${i}];`);
    const before: Pending = { condition: `${i} === 0`, first: opening.first, rest: ',' };
    if (prefix.length === 0) this.#item(items, value, i, before, level);
    else {
      this.#line(`switch (${i}) {`);
      for (const [index, part] of prefix.entries()) {
        this.#line(`case ${index}: {`);
        this.#item(part, value, i, plain(index === 0 ? opening.first : ','), level);
        this.#line('break; }');
      }
      this.#line('default: {');
      this.#item(items, value, i, plain(','), level);
      this.#line('} }');
    }
    this.#line('}');
    return after;
  }

  /** Returns the function that writes all items at once, if they are numbers. */
  #listCall(items: Node): 'numbers' | 'integers' | undefined {
    const { types, constants } = this.#planner.accepted(items);
    if (constants.length > 0 || (types & ~NUMBER) !== 0 || types === 0) return undefined;
    return types & FRACTION ? 'numbers' : 'integers';
  }

  #item(node: Node, value: string, i: string, before: Pending, level: number): void {
    // JSON.stringify writes undefined and functions in an array as null, which only an untyped item may become.
    if (this.#planner.isAny(node)) this.#line(`any(${this.#fragment(before)}, ${value}, ${i}, false);`);
    else this.#flushPending(this.#emit(node, value, i, before, level));
  }
}

/** Returns the rules for unlisted properties, indexed by the set of matching patterns as bits. */
function extraCases({ patterns, extra }: ObjectShape): readonly Extra[] {
  return Array.from({ length: 2 ** patterns.length }, (_, matches) =>
    extra(patterns.filter((_, i) => (matches >> i) & 1)),
  );
}

/** The pending text before the next property, and whether a property was written before it. */
interface PropertyState {
  pending: Pending;
  /** While `open`, the variable that is true if no property was written yet; empty while not needed. */
  first: string;
  /** Whether all properties so far are optional, so that only the running code knows which one is the first. */
  open: boolean;
}

/** Returns the expression that reads a property. A name that all objects inherit is read only if it is an own property. */
function readOf(key: string, x: string): string {
  const name = JSON.stringify(key);
  return key in Object.prototype ? `own(${x}, ${name})` : `${x}[${name}]`;
}
