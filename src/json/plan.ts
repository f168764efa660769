import { LoopShardError } from '../errors.js';
import { SchemaReferences } from './references.js';
import type { JsonSchemaObject, WriterOptions } from './schema.js';

/** One property of an object, in the order in which it is written. */
export interface Property {
  readonly key: string;
  /** `"key":` */
  readonly label: string;
  readonly required: boolean;
  readonly node: Node;
}

/** What may stand in one place of the output. Recursive schemas make this a cyclic graph. */
export type Node =
  | { kind: 'any' | 'never' | 'null' | 'boolean' | 'number' | 'integer' }
  | { kind: 'string'; format: string }
  | ConstantNode
  | ObjectNode
  | ArrayNode
  | { kind: 'union'; branches: Node[] };

export interface ConstantNode {
  kind: 'constant';
  values: readonly unknown[];
  texts: readonly string[];
}

export interface ObjectNode {
  kind: 'object';
  properties: Property[];
  patterns: [RegExp, Node][];
  /** The schema of all other properties; 'omit' leaves them out, 'reject' refuses the value. */
  additional: Node | 'omit' | 'reject';
}

export interface ArrayNode {
  kind: 'array';
  prefix: Node[];
  items: Node;
  minItems: number;
  maxItems: number;
}

export const ANY: Node = { kind: 'any' };
const NEVER: Node = { kind: 'never' };

function invalid(message: string): LoopShardError {
  return new LoopShardError('SCHEMA_INVALID', message);
}

function isSchemaObject(schema: unknown): schema is JsonSchemaObject {
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema);
}

/** Turns a schema into a plan. */
export class Planner {
  readonly #references: SchemaReferences;
  readonly #unlisted: NonNullable<WriterOptions['unlisted']>;
  readonly #known = new Map<object, Node>();

  constructor(root: unknown, unlisted: NonNullable<WriterOptions['unlisted']>) {
    this.#references = new SchemaReferences(root);
    this.#unlisted = unlisted;
  }

  plan(schema: unknown): Node {
    if (schema === true || schema === undefined) return ANY;
    if (schema === false) return NEVER;
    if (!isSchemaObject(schema)) {
      throw invalid(`A schema is an object, true or false, and ${JSON.stringify(schema)} is none of them.`);
    }
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    // In the map before its parts are planned: that is what ends a recursion.
    const node = {} as Node;
    this.#known.set(schema, node);
    return Object.assign(node, this.#fresh(schema));
  }

  #fresh(schema: JsonSchemaObject): Node {
    if (schema.nullable === true) return this.#union([{ ...schema, nullable: false }, { type: 'null' }]);
    if (schema.$ref !== undefined) return this.#reference(schema, schema.$ref);
    if ('const' in schema) return constants([schema.const]);
    if (schema.enum !== undefined) return constants(schema.enum);
    if (schema.allOf !== undefined) return this.#fresh(this.#merged(schema));
    const branches = schema.anyOf ?? schema.oneOf;
    if (branches !== undefined) return this.#union(branches.map((branch) => this.#withSiblings(schema, branch)));
    if (Array.isArray(schema.type)) {
      if (schema.type.length === 0) throw invalid('A schema has an empty list of types; name at least one.');
      return this.#union(schema.type.map((type) => ({ ...schema, type })));
    }
    return this.#typed(schema);
  }

  #reference(schema: JsonSchemaObject, reference: string): Node {
    const target = this.#references.resolve(reference);
    if (target === schema) throw invalid(`The reference "${reference}" leads to itself.`);
    const seen = new Set<unknown>([schema]);
    for (let next: unknown = target; isSchemaObject(next) && next.$ref !== undefined; ) {
      if (seen.has(next)) throw invalid(`The reference "${reference}" leads in a circle.`);
      seen.add(next);
      next = this.#references.resolve(next.$ref);
    }
    return { kind: 'union', branches: [this.plan(target)] };
  }

  #union(branches: readonly unknown[]): Node {
    if (branches.length === 0) throw invalid('A union needs at least one branch.');
    const nodes = branches.map((branch) => this.plan(branch));
    const all = nodes.filter((node) => node.kind === 'constant');
    if (all.length === nodes.length) {
      return { kind: 'constant', values: all.flatMap((node) => node.values), texts: all.flatMap((node) => node.texts) };
    }
    return { kind: 'union', branches: nodes };
  }

  /** What stands beside `anyOf` holds for each branch. */
  #withSiblings(schema: JsonSchemaObject, branch: unknown): unknown {
    if (schema.properties === undefined && schema.type === undefined) return branch;
    const { anyOf: _anyOf, oneOf: _oneOf, ...siblings } = schema;
    return { allOf: [siblings, branch] };
  }

  /** One schema for `allOf` and what stands beside it. */
  #merged(schema: JsonSchemaObject): JsonSchemaObject {
    const { allOf, ...siblings } = schema;
    let merged: Record<string, unknown> = {};
    for (const part of [...(allOf ?? []), siblings]) {
      const resolved = this.#resolved(part);
      if (resolved === true) continue;
      if (!isSchemaObject(resolved)) throw invalid('Every part of allOf must be a schema object.');
      merged = mergeSchemas(merged, resolved as Record<string, unknown>);
    }
    return merged as JsonSchemaObject;
  }

  #resolved(part: unknown): unknown {
    for (let steps = 0; isSchemaObject(part); steps++) {
      if (steps > 100) throw invalid('A reference inside allOf leads in a circle.');
      if (part.$ref !== undefined) part = this.#references.resolve(part.$ref);
      else if (part.allOf !== undefined) part = this.#merged(part);
      else break;
    }
    return part;
  }

  #typed(schema: JsonSchemaObject): Node {
    switch (schema.type ?? impliedType(schema)) {
      case undefined:
        return { kind: 'any' };
      case 'string':
        return { kind: 'string', format: schema.format ?? '' };
      case 'number':
      case 'integer':
      case 'boolean':
      case 'null':
        return { kind: schema.type as 'number' };
      case 'object':
        return this.#object(schema);
      case 'array':
        return this.#array(schema);
      default:
        throw invalid(`"${schema.type}" is no JSON type; use string, number, integer, boolean, null, object or array.`);
    }
  }

  #object(schema: JsonSchemaObject): ObjectNode {
    const required = new Set(schema.required ?? []);
    const properties: Property[] = [];
    const add = (key: string, node: Node) => {
      properties.push({ key, label: `${JSON.stringify(key)}:`, required: required.has(key), node });
    };
    for (const [key, part] of Object.entries(schema.properties ?? {})) add(key, this.plan(part));
    const listed = new Set(properties.map((property) => property.key));
    for (const key of required) if (!listed.has(key)) add(key, ANY);
    const patterns = Object.entries(schema.patternProperties ?? {}).map(([pattern, part]): [RegExp, Node] => [
      compilePattern(pattern),
      this.plan(part),
    ]);
    return { kind: 'object', properties, patterns, additional: this.#additional(schema, patterns.length > 0) };
  }

  #additional(schema: JsonSchemaObject, hasPatterns: boolean): ObjectNode['additional'] {
    const { additionalProperties } = schema;
    if (additionalProperties === false) return 'reject';
    if (additionalProperties !== undefined) return this.plan(additionalProperties);
    // `{ type: 'object' }` alone names no property: nothing was chosen, so nothing is left out.
    if (schema.properties === undefined && !hasPatterns && this.#unlisted === 'omit') return ANY;
    return this.#unlisted === 'write' ? ANY : this.#unlisted;
  }

  #array(schema: JsonSchemaObject): ArrayNode {
    // Before draft 2020-12, and in TypeBox, a tuple is a list of `items`.
    const tuple = Array.isArray(schema.items) ? schema.items : schema.prefixItems;
    const rest = Array.isArray(schema.items) ? schema.additionalItems : schema.items;
    return {
      kind: 'array',
      prefix: (tuple ?? []).map((part) => this.plan(part)),
      items: this.plan(rest),
      minItems: schema.minItems ?? 0,
      maxItems: schema.maxItems ?? Number.POSITIVE_INFINITY,
    };
  }
}

function constants(values: readonly unknown[]): Node {
  const texts = values.map((value) => JSON.stringify(value));
  const complete = texts.every((text) => text !== undefined);
  if (values.length === 0 || !complete) throw invalid('const and enum take JSON values, and at least one of them.');
  return { kind: 'constant', values, texts };
}

function impliedType(schema: JsonSchemaObject): string | undefined {
  if (schema.properties ?? schema.required ?? schema.patternProperties ?? schema.additionalProperties) return 'object';
  return (schema.items ?? schema.prefixItems) ? 'array' : undefined;
}

function compilePattern(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch (cause) {
    throw new LoopShardError('SCHEMA_INVALID', `The pattern "${pattern}" is no regular expression.`, { cause });
  }
}

function mergeSchemas(a: Record<string, unknown>, b: Record<string, unknown>): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...a, ...b };
  for (const keyword of ['properties', 'patternProperties', '$defs', 'definitions']) {
    if (a[keyword] && b[keyword]) merged[keyword] = mergeParts(a[keyword] as object, b[keyword] as object);
  }
  if (a.required && b.required) merged.required = [...(a.required as string[]), ...(b.required as string[])];
  if (a.additionalProperties === false) merged.additionalProperties = false;
  return merged;
}

/** A property that both describe must match both descriptions. */
function mergeParts(a: object, b: object): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...a };
  for (const [key, part] of Object.entries(b))
    merged[key] = Object.hasOwn(a, key) ? { allOf: [merged[key], part] } : part;
  return merged;
}
