import { TOKEN_NOTHING, TOKEN_NULL } from '../../assembly/json/layout.js';
import { Fragments } from './fragments.js';
import { append, NONE, type Pending, plain } from './pending.js';
import type { ArrayNode, ConstantNode, Node, ObjectNode } from './plan.js';
import { RUNTIME } from './runtime.js';
import { classTest, nodeClass, recursiveNodes, staticDepth } from './shape.js';

const PROPERTIES_PER_GUARD = 40;
const GUARD = 'if (t > TG) flush();';

/** Generates the JavaScript that puts values of one plan on the tape. */
export class Generator {
  readonly fragments = new Fragments();
  /** Nodes that the generated code names by number. */
  readonly nodes: Node[] = [];
  readonly #functions = new Map<Node, string>();
  readonly #recursive: Set<Node>;
  readonly #maxDepth: number;
  #lines: string[] = [];
  #bodies: string[] = [];
  #names = 0;

  constructor(root: Node, maxDepth: number) {
    this.#recursive = recursiveNodes(root);
    this.#maxDepth = maxDepth;
    this.fragments.index('"');
    this.fragments.index(',');
  }

  /** The source of a function body that takes `env` and returns the writer. */
  source(root: Node): string {
    const main = this.#function(root);
    const constants = Array.from({ length: this.fragments.size }, (_, i) => `f${i} = env.fragments[${i}]`);
    return `${RUNTIME}
const ${constants.join(', ')};
${this.#bodies.join('\n')}
return function write(start, end, value) {
  position = start; limit = end; t = T0; n = N0; c = C0; depth = 0; writes = 0;
  if (joined.text !== '') joined = { text: '' };
  ${main}(value, ''); flush(); return position;
};`;
  }

  #function(node: Node): string {
    const known = this.#functions.get(node);
    if (known !== undefined) return known;
    const name = `w${this.#functions.size}`;
    this.#functions.set(node, name);
    const outer = this.#lines;
    this.#lines = [];
    this.#line(`if (depth + ${staticDepth(node, this.#recursive)} > ${this.#maxDepth}) throw BAIL;`);
    this.#flushPending(this.#emitInline(node, 'x', 'key', NONE, 0));
    this.#bodies.push(`function ${name}(x, key) {\n${this.#lines.join('\n')}\n}`);
    this.#lines = outer;
    return name;
  }

  #line(text: string): void {
    this.#lines.push(text);
  }

  #name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  #number(node: Node): number {
    const known = this.nodes.indexOf(node);
    return known >= 0 ? known : this.nodes.push(node) - 1;
  }

  /** The expression of the fragment that waits. */
  #fragment(pending: Pending): string {
    const name = (text: string) => (text === '' ? '0' : `f${this.fragments.index(text)}`);
    if (pending.first === pending.rest) return name(pending.first);
    return `(${pending.condition} ? ${name(pending.first)} : ${name(pending.rest)})`;
  }

  #flushPending(pending: Pending): void {
    if (pending.first === '' && pending.rest === '') return;
    this.#line(`i32[t++] = ${this.#fragment(pending)} | ${TOKEN_NOTHING};`);
  }

  /** A part in place, or a call where it is recursive. Returns the text that waits behind it. */
  #emit(node: Node, x: string, key: string, pending: Pending, level: number): Pending {
    if (!this.#recursive.has(node)) return this.#emitInline(node, x, key, pending, level);
    this.#flushPending(pending);
    this.#line(`depth += ${level}; ${this.#function(node)}(${x}, ${key}); depth -= ${level};`);
    return NONE;
  }

  #emitInline(node: Node, x: string, key: string, pending: Pending, level: number): Pending {
    const f = () => this.#fragment(pending);
    switch (node.kind) {
      case 'any':
        this.#line(`any(${f()}, ${x}, ${key}, true);`);
        return NONE;
      case 'string':
      case 'number':
      case 'integer':
      case 'boolean': {
        const call = { string: 'str', number: 'num', integer: 'int', boolean: 'bool' }[node.kind];
        this.#line(`${call}(${f()}, ${x}, ${this.#number(node)}, ${key});`);
        return NONE;
      }
      case 'null':
        this.#line(`if (${x} !== null) throw BAIL;`);
        return append(pending, 'null');
      case 'never':
        this.#line('throw BAIL;');
        return NONE;
      case 'constant':
        return this.#constant(node, x, pending);
      case 'union':
        return this.#union(node, node.branches, x, key, pending, level);
      case 'object':
        return this.#object(node, x, key, pending, level);
      case 'array':
        return this.#array(node, x, key, pending, level);
    }
  }

  #constant(node: ConstantNode, x: string, pending: Pending): Pending {
    const { values, texts } = node;
    const name = this.#name('k');
    if (values.length === 1) {
      const isObject = typeof values[0] === 'object' && values[0] !== null;
      const differs = isObject ? `constant(${this.#number(node)}, ${x}) < 0` : `${x} !== ${texts[0]}`;
      this.#line(`if (${differs}) throw BAIL;`);
      return append(pending, texts[0]);
    }
    const number = this.#number(node);
    this.#line(`const ${name} = constant(${number}, ${x});`);
    this.#line(`if (${name} < 0) throw BAIL;`);
    this.#flushPending(pending);
    const choices = texts.map((text) => this.#fragment(plain(text)));
    this.#line(`switch (${name}) {`);
    for (const [i, choice] of choices.entries()) this.#line(`case ${i}: i32[t++] = ${choice}; break;`);
    this.#line('}');
    return NONE;
  }

  #union(node: Node, branches: Node[], x: string, key: string, pending: Pending, level: number): Pending {
    if (branches.length === 1) return this.#emit(branches[0], x, key, pending, level);
    const f = this.#fragment(pending);
    const classes = branches.map(nodeClass);
    const number = this.#number(node);
    if (!classes.includes('') && new Set(classes).size === classes.length) {
      branches.forEach((branch, i) => {
        this.#line(`${i > 0 ? 'else ' : ''}if (${classTest(classes[i], x)}) {`);
        if (branch.kind === 'null') this.#line(`i32[t++] = ${f} | ${TOKEN_NULL};`);
        else this.#flushPending(this.#emit(branch, x, key, pending, level));
        this.#line('}');
      });
      this.#line(`else odd(${f}, ${x}, ${number}, ${key});`);
      return NONE;
    }
    this.#line(`switch (choose(${number}, ${x}, depth)) {`);
    branches.forEach((branch, i) => {
      this.#line(`case ${i}: {`);
      this.#flushPending(this.#emit(branch, x, key, pending, level));
      this.#line('break; }');
    });
    this.#line(`default: odd(${f}, ${x}, ${number}, ${key}); }`);
    return NONE;
  }

  #object(node: ObjectNode, x: string, key: string, pending: Pending, level: number): Pending {
    const number = this.#number(node);
    if (node.patterns.length > 0) {
      this.#line(`odd(${this.#fragment(pending)}, ${x}, ${number}, ${key});`);
      return NONE;
    }
    // What is neither a plain object nor like one may be something else to JSON.stringify: the plain lane looks.
    this.#line(`if (typeof ${x} !== 'object' || ${x} === null || ${x}.toJSON !== undefined) throw BAIL;`);
    this.#line(`if (getPrototypeOf(${x}) !== PLAIN && !isPlain(${number}, ${x})) throw BAIL;`);
    this.#line(GUARD);
    const after = this.#properties(node, x, append(pending, '{'), level + 1);
    return append(after, '}');
  }

  /** Returns what waits before the closing bracket. */
  #properties(node: ObjectNode, x: string, opening: Pending, level: number): Pending {
    let pending = opening;
    // Until a required property has come, only the running program knows which is the first: `first` says so then.
    let [first, open] = ['', true];
    const count = node.additional === 'reject' ? this.#name('p') : '';
    if (count) this.#line(`let ${count} = ${node.properties.filter((property) => property.required).length};`);
    for (const [index, property] of node.properties.entries()) {
      if (index % PROPERTIES_PER_GUARD === PROPERTIES_PER_GUARD - 1) this.#line(GUARD);
      const key = JSON.stringify(property.key);
      const v = this.#name('v');
      // A property that every object inherits is read only where it is the object's own.
      this.#line(`const ${v} = ${property.key in Object.prototype ? `own(${x}, ${key})` : `${x}[${key}]`};`);
      if (!property.required) {
        this.#flushPending(pending);
        pending = NONE;
        if (open && !first) this.#line(`let ${(first = this.#name('e'))} = true;`);
      }
      const waiting = this.#labelled(pending, property.label, open, first);
      this.#line(property.required ? `if (${v} === undefined) throw BAIL;` : `if (${v} !== undefined) {`);
      pending = this.#emit(property.node, v, key, waiting, level);
      if (property.required) open = false;
      else pending = this.#closeOptional(pending, open ? first : '', count);
    }
    if (count) this.#line(`for (const _ in ${x}) ${count}--;\nif (${count} !== 0) throw BAIL;`);
    else if (node.additional !== 'omit') return this.#extras(node, x, pending, first, open, level);
    return pending;
  }

  #closeOptional(pending: Pending, first: string, count: string): Pending {
    this.#flushPending(pending);
    if (first) this.#line(`${first} = false;`);
    if (count) this.#line(`${count}++;`);
    this.#line('}');
    return NONE;
  }

  #labelled(pending: Pending, label: string, open: boolean, first: string): Pending {
    if (!open) return append(pending, `,${label}`);
    return first ? { condition: first, first: label, rest: `,${label}` } : append(pending, label);
  }

  #extras(node: ObjectNode, x: string, pending: Pending, first: string, open: boolean, level: number): Pending {
    this.#flushPending(pending);
    const [k, v] = [this.#name('k'), this.#name('v')];
    let separator = first;
    if (open && !first) this.#line(`let ${(separator = this.#name('e'))} = true;`);
    const listed = this.#number(node);
    this.#line(`for (const ${k} of keys(${x})) {`);
    if (node.properties.length > 0) this.#line(`if (isListed(${listed}, ${k})) continue;`);
    this.#line(`const ${v} = ${x}[${k}];`);
    this.#line(`if (${v} === undefined) continue;`);
    if ((node.additional as Node).kind === 'any')
      this.#line(`if (typeof ${v} === 'function' || typeof ${v} === 'symbol') continue;`);
    this.#line(GUARD);
    this.#line(`str(${open ? `${separator} ? 0 : COMMA` : 'COMMA'}, ${k});`);
    if (open) this.#line(`${separator} = false;`);
    this.#flushPending(this.#emit(node.additional as Node, v, k, plain(':'), level));
    this.#line('}');
    return NONE;
  }

  #array(node: ArrayNode, x: string, key: string, pending: Pending, level: number): Pending {
    const items = node.items.kind;
    if (node.prefix.length === 0 && items === 'any') {
      this.#line(`if (!isArray(${x})) throw BAIL;`);
      this.#bounds(node, x);
      this.#line(`any(${this.#fragment(pending)}, ${x}, ${key}, true);`);
      return NONE;
    }
    this.#line(`if (!isArray(${x}) ? !isList(${x}) : ${x}.toJSON !== undefined) throw BAIL;`);
    this.#bounds(node, x);
    if (pending.condition) {
      this.#flushPending(pending);
      pending = NONE;
    }
    const size = this.#name('n');
    this.#line(`const ${size} = ${x}.length;`);
    const opening = append(pending, '[');
    if (node.prefix.length === 0 && (items === 'number' || items === 'integer')) {
      this.#line(`if (${size} > 0) ${items}s(${this.#fragment(opening)}, ${x}, ${key});`);
      return { condition: `${size} === 0`, first: `${opening.first}]`, rest: ']' };
    }
    return this.#items(node, x, size, opening, level + 1);
  }

  #bounds(node: ArrayNode, x: string): void {
    if (node.minItems > 0) this.#line(`if (${x}.length < ${node.minItems}) throw BAIL;`);
    if (node.maxItems < Number.POSITIVE_INFINITY) this.#line(`if (${x}.length > ${node.maxItems}) throw BAIL;`);
  }

  #items(node: ArrayNode, x: string, size: string, opening: Pending, level: number): Pending {
    const [i, v] = [this.#name('i'), this.#name('v')];
    this.#line(`for (let ${i} = 0; ${i} < ${size}; ${i}++) {`);
    this.#line(GUARD);
    this.#line(`const ${v} = ${x}[${i}];`);
    const before: Pending = { condition: `${i} === 0`, first: opening.first, rest: ',' };
    if (node.prefix.length === 0) this.#item(node.items, v, i, before, level);
    else {
      this.#line(`switch (${i}) {`);
      node.prefix.forEach((part, index) => {
        this.#line(`case ${index}: {`);
        this.#item(part, v, i, plain(index === 0 ? opening.first : ','), level);
        this.#line('break; }');
      });
      this.#line('default: {');
      this.#item(node.items, v, i, plain(','), level);
      this.#line('} }');
    }
    this.#line('}');
    return { condition: `${size} === 0`, first: `${opening.first}]`, rest: ']' };
  }

  #item(node: Node, v: string, i: string, before: Pending, level: number): void {
    // In an array, what JSON.stringify leaves out of objects is null, which only an untyped item may be.
    if (node.kind === 'any') this.#line(`any(${this.#fragment(before)}, ${v}, ${i}, false);`);
    else this.#flushPending(this.#emit(node, v, i, before, level));
  }
}
