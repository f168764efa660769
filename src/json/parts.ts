import { LoopShardError } from '../errors.js';
import { type Dialect, RECURSIVE_ANCHOR, type Resource, SchemaReferences, type Target } from './references.js';
import type { JsonSchemaObject } from './schema.js';

/** JSON types as bits of a set. `number` is INTEGER | FRACTION. */
export const NULL = 1;
export const BOOLEAN = 2;
export const INTEGER = 4;
export const FRACTION = 8;
export const NUMBER = INTEGER | FRACTION;
export const STRING = 16;
export const ARRAY = 32;
export const OBJECT = 64;
export const ALL = 127;

const TYPES: Readonly<Record<string, number>> = {
  null: NULL,
  boolean: BOOLEAN,
  integer: INTEGER,
  number: NUMBER,
  string: STRING,
  array: ARRAY,
  object: OBJECT,
};

/**
 * A choice among parts, made by the value.
 *
 * - `any`: all branches that the value matches, at least one; `one`: the first one that it matches.
 * - `if`: branches 0 and 1 (`then`) if the value matches branch 0, otherwise branch 2 (`else`).
 * - `dependent`: branch 0 if the object has the property `key`.
 */
export interface Choice {
  readonly id: number;
  readonly kind: 'any' | 'one' | 'if' | 'dependent';
  readonly branches: readonly Part[];
  readonly key: string;
  /** OpenAPI's discriminator: the property whose value names the branch, and the branch for each name. */
  readonly discriminator: { readonly property: string; readonly names: ReadonlyMap<string, number> } | undefined;
}

/** Where a part was found: the part that contains it, and the keys that lead to it. */
interface Origin {
  readonly parent: Part | undefined;
  readonly segments: readonly (string | number)[];
}

/** Default of list properties, which are empty for most parts. */
const NONE: readonly never[] = [];
const ROOT: Origin = { parent: undefined, segments: [] };

/** A schema object (or boolean) in a dynamic scope, with keywords checked and references resolved. */
export class Part {
  /** The schema is `false`. */
  never = false;
  types = ALL;
  constants: readonly unknown[] | undefined;
  format = '';
  /** The JSON text of `default`. */
  fallback: string | undefined;
  /** Parts that always apply to the same value: `$ref`, `$dynamicRef`, `allOf`. */
  same: readonly Part[] = NONE;
  choices: readonly Choice[] = NONE;
  not: Part | undefined;

  properties: Map<string, Part> | undefined;
  patterns: readonly [RegExp, Part][] = NONE;
  additional: Part | undefined;
  required: readonly string[] = NONE;
  dependentRequired: readonly [string, readonly string[]][] = NONE;
  propertyNames: Part | undefined;
  minProperties = 0;
  maxProperties = Number.POSITIVE_INFINITY;
  unevaluatedProperties: Part | undefined;

  prefix: readonly Part[] = NONE;
  items: Part | undefined;
  contains: Part | undefined;
  minContains = 1;
  maxContains = Number.POSITIVE_INFINITY;
  /** Whether `contains` evaluates the items that match it, as from draft 2020-12 on. */
  containsEvaluates = false;
  /** Applies `contains` to each item as a condition: to items that match, it applies completely, to others not at all. */
  mayContain: Part | undefined;
  minItems = 0;
  maxItems = Number.POSITIVE_INFINITY;
  uniqueItems = false;
  unevaluatedItems: Part | undefined;

  minimum = Number.NEGATIVE_INFINITY;
  maximum = Number.POSITIVE_INFINITY;
  exclusiveMinimum = Number.NEGATIVE_INFINITY;
  exclusiveMaximum = Number.POSITIVE_INFINITY;
  multipleOf = 0;
  minLength = 0;
  maxLength = Number.POSITIVE_INFINITY;
  pattern: RegExp | undefined;

  /** Number of places that lead to the part. */
  uses = 1;

  constructor(
    readonly id: number,
    readonly origin: Origin,
  ) {}

  /** Location of the schema: a JSON pointer from the root along the first way on which it was found. */
  get path(): string {
    const segments: (string | number)[] = [];
    for (let at: Origin | undefined = this.origin; at !== undefined; at = at.parent?.origin) {
      segments.unshift(...at.segments);
    }
    return ['#', ...segments.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');
  }

  /** Whether the part names properties, so that other properties count as unlisted. */
  get namesProperties(): boolean {
    return (
      this.properties !== undefined ||
      this.patterns.length > 0 ||
      this.additional !== undefined ||
      this.unevaluatedProperties !== undefined
    );
  }

  get describesItems(): boolean {
    return (
      this.prefix.length > 0 ||
      this.items !== undefined ||
      this.unevaluatedItems !== undefined ||
      this.mayContain !== undefined
    );
  }
}

/** The target of each dynamic anchor: in the outermost resource that has it. */
type Scope = ReadonlyMap<string, Target>;

/** Keywords that do not exist in draft 7. */
const SINCE_2019 = [
  ...['dependentSchemas', 'dependentRequired', 'unevaluatedProperties', 'unevaluatedItems', 'minContains'],
  ...['maxContains', '$recursiveRef', '$dynamicRef', 'prefixItems'],
];
const SINCE_2020 = ['prefixItems', '$dynamicRef'];

/** Reads schemas into parts. Each schema object becomes one part, however often it is referenced. */
export class PartReader {
  readonly #references: SchemaReferences;
  readonly #known = new Map<object, Map<Resource, Map<Scope, Part>>>();
  readonly #scopes = new Map<string, Scope>();
  readonly #parts: Part[] = [];
  readonly #anything: Part;
  readonly #nothing: Part;
  #choices = 0;

  constructor(root: unknown, documents: Readonly<Record<string, unknown>> = {}) {
    this.#references = new SchemaReferences(root, documents);
    this.#anything = this.#create(ROOT);
    this.#nothing = this.#create(ROOT);
    this.#nothing.never = true;
    this.#nothing.types = 0;
  }

  /** @throws LoopShardError SCHEMA_INVALID with the keyword and its location */
  root(): Part {
    const { root } = this.#references;
    const part = this.#part(root.root, root, this.#entered(new Map(), root), ROOT);
    refuseCircles(this.#parts);
    return part;
  }

  #create(origin: Origin): Part {
    const part = new Part(this.#parts.length, origin);
    this.#parts.push(part);
    return part;
  }

  #part(schema: unknown, around: Resource, scope: Scope, origin: Origin): Part {
    if (schema === true || schema === undefined) return this.#anything;
    if (schema === false) return this.#nothing;
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
      const { path } = new Part(0, origin);
      throw invalid(`Invalid schema at ${path}: expected an object or a boolean, got ${JSON.stringify(schema)}.`);
    }
    const resource = this.#references.resourceOf(schema, around);
    if (resource !== around) scope = this.#entered(scope, resource);
    const scopes = getOrAdd(
      getOrAdd(this.#known, schema, newMap<Resource, Map<Scope, Part>>),
      resource,
      newMap<Scope, Part>,
    );
    const known = scopes.get(scope);
    if (known !== undefined) {
      known.uses++;
      return known;
    }
    // Added to the map before it is read, to end recursion.
    const part = this.#create(origin);
    scopes.set(scope, part);
    this.#read(part, new Keywords(schema as Record<string, unknown>, part, resource.dialect), resource, scope);
    return part;
  }

  /** Returns the scope inside `resource`. Anchors of outer resources take precedence. */
  #entered(scope: Scope, resource: Resource): Scope {
    const added = [...resource.dynamic].filter(([name]) => !scope.has(name));
    if (added.length === 0) return scope;
    const inner = new Map(scope);
    for (const [name, schema] of added) inner.set(name, { schema, resource });
    const key = JSON.stringify([...inner].map(([name, target]) => [name, target.resource.uri]).sort());
    return getOrAdd(this.#scopes, key, () => inner);
  }

  #read(part: Part, keywords: Keywords, resource: Resource, scope: Scope): void {
    const at = (schema: unknown, ...segments: (string | number)[]) =>
      this.#part(schema, resource, scope, { parent: part, segments });
    if (keywords.is('nullable') && this.#readNullable(part, keywords, at)) return;
    const reference = keywords.text('$ref');
    if (reference !== undefined) {
      part.same = [this.#target(keywords, '$ref', this.#resolve(keywords, '$ref', reference, resource), scope)];
      // Before 2019-09, keywords next to a reference are ignored.
      if (resource.dialect === 'draft-07') return;
    }
    this.#readReferences(part, keywords, resource, scope);
    readAssertions(part, keywords);
    const all = keywords.schemas('allOf').map((schema, i) => at(schema, 'allOf', i));
    if (all.length > 0) part.same = [...part.same, ...all];
    this.#readChoices(part, keywords, resource, at);
    if (keywords.has('not')) part.not = at(keywords.get('not'), 'not');
    this.#readObject(part, keywords, at);
    this.#readArray(part, keywords, at);
  }

  #resolve(keywords: Keywords, keyword: string, reference: string, resource: Resource): Target {
    return this.#references.resolve(reference, resource, `\`${keyword}\` at ${keywords.part.path}`);
  }

  #target(keywords: Keywords, keyword: string, { schema, resource }: Target, scope: Scope): Part {
    return this.#part(schema, resource, this.#entered(scope, resource), { parent: keywords.part, segments: [keyword] });
  }

  /** Reads `nullable` of OpenAPI 3.0: the value is null, or matches the rest of the schema. */
  #readNullable(part: Part, keywords: Keywords, at: At): boolean {
    const { nullable: _nullable, ...rest } = keywords.schema;
    if (Object.keys(rest).every((keyword) => ANNOTATIONS.has(keyword))) return false;
    if (keywords.has('default')) part.fallback = keywords.json('default');
    const branches = [at(rest), at({ type: 'null' })];
    this.#choose(part, 'one', branches);
    return true;
  }

  #readReferences(part: Part, keywords: Keywords, resource: Resource, scope: Scope): void {
    const dynamic = keywords.text('$dynamicRef');
    if (dynamic !== undefined) {
      const target = this.#resolve(keywords, '$dynamicRef', dynamic, resource);
      const name = dynamic.slice(dynamic.indexOf('#') + 1);
      // Only a reference that leads to a dynamic anchor is dynamic.
      const bound = target.resource.dynamic.get(name) === target.schema ? scope.get(name) : undefined;
      part.same = [...part.same, this.#target(keywords, '$dynamicRef', bound ?? target, scope)];
    }
    if (keywords.text('$recursiveRef') !== undefined) {
      const bound = resource.dynamic.has(RECURSIVE_ANCHOR) ? scope.get(RECURSIVE_ANCHOR) : undefined;
      const target = bound ?? this.#resolve(keywords, '$recursiveRef', '#', resource);
      part.same = [...part.same, this.#target(keywords, '$recursiveRef', target, scope)];
    }
  }

  #choose(part: Part, kind: Choice['kind'], branches: readonly Part[], more: Partial<Choice> = {}): void {
    const choice = { id: this.#choices++, kind, branches, key: '', discriminator: undefined, ...more };
    part.choices = [...part.choices, choice];
  }

  #readChoices(part: Part, keywords: Keywords, resource: Resource, at: At): void {
    for (const [keyword, kind] of [
      ['anyOf', 'any'],
      ['oneOf', 'one'],
    ] as const) {
      if (!keywords.has(keyword)) continue;
      const schemas = keywords.schemas(keyword);
      if (schemas.length === 0) throw keywords.invalid(keyword, 'expected at least one schema');
      const branches = schemas.map((schema, i) => at(schema, keyword, i));
      this.#choose(part, kind, branches, { discriminator: this.#discriminator(keywords, schemas, resource) });
    }
    if (keywords.has('if')) {
      const branch = (keyword: string) => at(keywords.get(keyword), keyword);
      this.#choose(part, 'if', [branch('if'), branch('then'), branch('else')]);
    }
    for (const [key, schema] of keywords.entries('dependentSchemas')) {
      this.#choose(part, 'dependent', [at(schema, 'dependentSchemas', key)], { key });
    }
    for (const [key, schema] of keywords.entries('dependencies')) {
      if (Array.isArray(schema)) part.dependentRequired = [...part.dependentRequired, [key, schema]];
      else this.#choose(part, 'dependent', [at(schema, 'dependencies', key)], { key });
    }
  }

  #discriminator(keywords: Keywords, branches: readonly unknown[], resource: Resource): Choice['discriminator'] {
    const { propertyName, mapping = {} } = (keywords.object('discriminator') ?? {}) as {
      propertyName?: unknown;
      mapping?: Record<string, string>;
    };
    if (typeof propertyName !== 'string') return undefined;
    const references = branches.map((branch) => (branch as JsonSchemaObject | null)?.$ref);
    const names = new Map<string, number>();
    // The name of a schema is valid too, and a mapping may contain the name alone.
    for (const [i, reference] of references.entries()) {
      if (typeof reference === 'string') names.set(reference.slice(reference.lastIndexOf('/') + 1), i);
    }
    for (const [value, target] of Object.entries(mapping)) {
      const index = references.findIndex(
        (reference) =>
          reference === target ||
          reference?.endsWith(`/${target}`) ||
          (typeof reference === 'string' && this.#isSame(reference, target, resource)),
      );
      if (index >= 0) names.set(value, index);
    }
    return { property: propertyName, names };
  }

  #isSame(reference: string, other: string, resource: Resource): boolean {
    const [a, b] = [reference, other].map((name) => this.#references.find(name, resource));
    return typeof a === 'object' && typeof b === 'object' && a.schema === b.schema;
  }

  #readObject(part: Part, keywords: Keywords, at: At): void {
    if (keywords.has('properties')) {
      part.properties = new Map();
      for (const [key, schema] of keywords.entries('properties')) {
        part.properties.set(key, at(schema, 'properties', key));
      }
    }
    part.patterns = keywords.entries('patternProperties').map(([pattern, schema]) => {
      const expression = keywords.expression('patternProperties', pattern);
      return [expression, at(schema, 'patternProperties', pattern)];
    });
    const single = (keyword: string) => (keywords.has(keyword) ? at(keywords.get(keyword), keyword) : undefined);
    part.additional = single('additionalProperties');
    part.propertyNames = single('propertyNames');
    part.unevaluatedProperties = single('unevaluatedProperties');
  }

  #readArray(part: Part, keywords: Keywords, at: At): void {
    const single = (keyword: string) => (keywords.has(keyword) ? at(keywords.get(keyword), keyword) : undefined);
    // Before draft 2020-12, and in TypeBox, a tuple is a list of `items`.
    const isTuple = Array.isArray(keywords.get('items'));
    const tuple = isTuple ? 'items' : 'prefixItems';
    part.prefix = keywords.schemas(tuple).map((schema, i) => at(schema, tuple, i));
    part.items = single(isTuple ? 'additionalItems' : 'items');
    part.contains = single('contains');
    part.unevaluatedItems = single('unevaluatedItems');
    if (part.contains === undefined) return;
    part.containsEvaluates = keywords.dialect === '2020-12';
    part.mayContain = this.#create(part.contains.origin);
    this.#choose(part.mayContain, 'any', [part.contains, this.#anything]);
  }
}

/**
 * Creates a part that applies `part` to items that match none of `contained`.
 * @param id unique among parts and choices
 */
export function unlessContained(id: number, part: Part, contained: readonly Part[]): Part {
  const condition = new Part(id, part.origin);
  const result = new Part(id - 1, part.origin);
  const choice = { id, key: '', discriminator: undefined };
  condition.choices = [{ ...choice, kind: 'any', branches: contained }];
  result.choices = [{ ...choice, id: id - 1, kind: 'if', branches: [condition, new Part(id - 2, part.origin), part] }];
  return result;
}

type At = (schema: unknown, ...path: (string | number)[]) => Part;

/** Keywords that do not restrict the value. */
const ANNOTATIONS = new Set(['title', 'description', 'example', 'examples', 'deprecated', 'readOnly', 'writeOnly']);

function readAssertions(part: Part, keywords: Keywords): void {
  for (const keyword in keywords.schema) {
    const read = ASSERTIONS.get(keyword);
    if (read !== undefined && keywords.has(keyword)) read(part, keywords);
  }
  // In OpenAPI 3.0 and draft 4, a boolean excludes the bound itself.
  if (keywords.is('exclusiveMinimum')) part.exclusiveMinimum = part.minimum;
  if (keywords.is('exclusiveMaximum')) part.exclusiveMaximum = part.maximum;
}

/** Readers of the keywords that contain no schema. */
const ASSERTIONS: ReadonlyMap<string, (part: Part, keywords: Keywords) => void> = new Map([
  ['type', (part, keywords) => (part.types = typesOf(keywords))],
  [
    'const',
    (part, keywords) => {
      keywords.json('const');
      part.constants = [keywords.get('const')];
    },
  ],
  ['enum', (part, keywords) => (part.constants ??= constantsOf(keywords))],
  ['format', (part, keywords) => (part.format = keywords.text('format') ?? '')],
  ['default', (part, keywords) => (part.fallback = keywords.json('default'))],
  ['required', (part, keywords) => (part.required = keywords.names('required'))],
  ['uniqueItems', (part, keywords) => (part.uniqueItems = keywords.is('uniqueItems'))],
  ['pattern', (part, keywords) => (part.pattern = keywords.expression('pattern', keywords.text('pattern')!))],
  [
    'dependentRequired',
    (part, keywords) => {
      const entries = keywords.entries('dependentRequired') as [string, string[]][];
      part.dependentRequired = [...part.dependentRequired, ...entries];
    },
  ],
  ...(['minItems', 'maxItems', 'minProperties', 'maxProperties', 'minLength', 'maxLength'] as const).map(countReader),
  ...(['minContains', 'maxContains'] as const).map(countReader),
  ...(['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'] as const).map(limitReader),
]);

type Count = 'minItems' | 'maxItems' | 'minProperties' | 'maxProperties' | 'minLength' | 'maxLength';
type Limit = 'minimum' | 'maximum' | 'exclusiveMinimum' | 'exclusiveMaximum' | 'multipleOf';
type Reader = [string, (part: Part, keywords: Keywords) => void];

function countReader(keyword: Count | 'minContains' | 'maxContains'): Reader {
  return [keyword, (part, keywords) => (part[keyword] = keywords.count(keyword) ?? part[keyword])];
}

function limitReader(keyword: Limit): Reader {
  return [keyword, (part, keywords) => (part[keyword] = keywords.number(keyword) ?? part[keyword])];
}

function constantsOf(keywords: Keywords): readonly unknown[] {
  const values = keywords.list('enum');
  if (values.length === 0) throw keywords.invalid('enum', 'expected at least one value');
  if (values.some((value) => JSON.stringify(value) === undefined))
    throw keywords.invalid('enum', 'expected JSON values');
  return values;
}

function typesOf(keywords: Keywords): number {
  const named = keywords.get('type');
  const names = Array.isArray(named) ? named : [named];
  if (names.length === 0) throw keywords.invalid('type', 'expected at least one type');
  let types = 0;
  for (const name of names) {
    if (typeof name !== 'string' || !Object.hasOwn(TYPES, name)) {
      throw keywords.invalid('type', `expected ${Object.keys(TYPES).join(', ')}, got ${JSON.stringify(name)}`);
    }
    types |= TYPES[name];
  }
  return types;
}

/** The keywords of a schema object. Errors name the keyword and its location. */
class Keywords {
  readonly schema: Readonly<Record<string, unknown>>;
  readonly part: Part;
  readonly dialect: Dialect;

  constructor(schema: Readonly<Record<string, unknown>>, part: Part, dialect: Dialect) {
    this.schema = schema;
    this.part = part;
    this.dialect = dialect;
  }

  has(keyword: string): boolean {
    if (this.schema[keyword] === undefined || !Object.hasOwn(this.schema, keyword)) return false;
    if (this.dialect === 'draft-07') return !SINCE_2019.includes(keyword);
    return this.dialect === '2020-12' || !SINCE_2020.includes(keyword);
  }

  get(keyword: string): unknown {
    return this.has(keyword) ? this.schema[keyword] : undefined;
  }

  is(keyword: string): boolean {
    return this.get(keyword) === true;
  }

  text(keyword: string): string | undefined {
    const value = this.get(keyword);
    if (value !== undefined && typeof value !== 'string') throw this.invalid(keyword, 'expected a string');
    return value;
  }

  number(keyword: string): number | undefined {
    const value = this.get(keyword);
    if (typeof value === 'boolean' && keyword.startsWith('exclusive')) return undefined;
    if (value !== undefined && typeof value !== 'number') throw this.invalid(keyword, 'expected a number');
    return value;
  }

  count(keyword: string): number | undefined {
    const value = this.number(keyword);
    if (value !== undefined && value < 0) throw this.invalid(keyword, 'expected a non-negative number');
    return value;
  }

  list(keyword: string): readonly unknown[] {
    const value = this.get(keyword) ?? [];
    if (!Array.isArray(value)) throw this.invalid(keyword, 'expected an array');
    return value;
  }

  schemas(keyword: string): readonly unknown[] {
    return this.list(keyword);
  }

  names(keyword: string): readonly string[] {
    // In drafts 3 and 4, `required` is a boolean of the property itself.
    if (typeof this.get(keyword) === 'boolean') return [];
    const names = this.list(keyword);
    if (names.every((name) => typeof name === 'string')) return names as string[];
    throw this.invalid(keyword, 'expected an array of strings');
  }

  object(keyword: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.get(keyword);
    if (value === undefined) return undefined;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.invalid(keyword, 'expected an object');
  }

  entries(keyword: string): [string, unknown][] {
    return Object.entries(this.object(keyword) ?? {});
  }

  /** Returns the JSON text of a keyword's value. */
  json(keyword: string): string {
    const text = JSON.stringify(this.get(keyword));
    if (text === undefined) throw this.invalid(keyword, 'expected a JSON value');
    return text;
  }

  expression(keyword: string, pattern: string): RegExp {
    for (const flags of ['u', '']) {
      try {
        return new RegExp(pattern, flags);
      } catch (error) {
        // Many patterns in use are only valid without the flag `u`.
        if (!(error instanceof SyntaxError)) throw error;
      }
    }
    throw this.invalid(keyword, `expected a regular expression of JavaScript, got "${pattern}"`);
  }

  invalid(keyword: string, reason: string): LoopShardError {
    return invalid(`Invalid \`${keyword}\` at ${this.part.path}: ${reason}.`);
  }
}

/** Rejects parts that refer to themselves for the same value: evaluating them would never end. */
function refuseCircles(parts: readonly Part[]): void {
  const done = new Set<Part>();
  const open = new Set<Part>();
  const visit = (part: Part) => {
    if (done.has(part)) return;
    if (part.same.length === 0 && part.choices.length === 0 && part.not === undefined) return;
    if (open.has(part)) throw invalid(`Invalid schema at ${part.path}: it refers to itself for the same value.`);
    open.add(part);
    for (const next of part.same) visit(next);
    for (const choice of part.choices) for (const branch of choice.branches) visit(branch);
    if (part.not !== undefined) visit(part.not);
    open.delete(part);
    done.add(part);
  };
  for (const part of parts) visit(part);
}

/** Returns the maximum nesting of values of the part; infinite if it is recursive. */
export function depthOf(root: Part): number {
  const known = new Map<Part, number>();
  const visit = (part: Part): number => {
    const depth = known.get(part);
    if (depth !== undefined) return depth;
    // Assumed until known: a visit before that means that the part is recursive.
    known.set(part, Number.POSITIVE_INFINITY);
    let deepest = 0;
    const add = (next: Part | undefined, levels: number) => {
      if (next !== undefined) deepest = Math.max(deepest, levels + visit(next));
    };
    if (part.properties !== undefined) for (const next of part.properties.values()) add(next, 1);
    for (const [, next] of part.patterns) add(next, 1);
    for (const next of part.prefix) add(next, 1);
    add(part.additional, 1);
    add(part.unevaluatedProperties, 1);
    add(part.items, 1);
    add(part.unevaluatedItems, 1);
    add(part.mayContain, 1);
    for (const next of part.same) add(next, 0);
    for (const { branches } of part.choices) for (const next of branches) add(next, 0);
    known.set(part, deepest);
    return deepest;
  };
  return visit(root);
}

function invalid(message: string): LoopShardError {
  return new LoopShardError('SCHEMA_INVALID', message);
}

function newMap<K, V>(): Map<K, V> {
  return new Map();
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
