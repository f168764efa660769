import type FastUri from 'fast-uri';
import { lazily } from '../core/lazily.js';
import { LoopShardError } from '../errors.js';

const fastUri = lazily<typeof FastUri>('fast-uri');

/** Drafts with different keywords. All drafts before 2019-09 are read as draft 7. */
export type Dialect = 'draft-07' | '2019-09' | '2020-12';

/** A schema with its own identifier, which is the base of the references inside it. */
export interface Resource {
  readonly uri: string;
  readonly root: unknown;
  readonly dialect: Dialect;
  /** Targets of `#name` in this resource. */
  readonly anchors: Map<string, object>;
  /** The subset of anchors that `$dynamicRef` may find from other resources. */
  readonly dynamic: Map<string, object>;
  /** Cached results for references in this resource. */
  readonly found: Map<string, Target | string>;
}

/** The target of a reference: a schema, and the resource that contains it. */
export interface Target {
  readonly schema: unknown;
  readonly resource: Resource;
}

/** Base URI of a document without an identifier. */
const UNNAMED = 'schema:///';
/** Key for `$recursiveAnchor` (2019-09), a dynamic anchor without a name. */
export const RECURSIVE_ANCHOR = '';

/** How a keyword contains schemas: as its value, in a map by key, or in a list. */
const SCHEMAS_IN: ReadonlyMap<string, 'value' | 'map' | 'list'> = new Map([
  ...['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies'].map(
    (keyword) => [keyword, 'map'] as const,
  ),
  ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map((keyword) => [keyword, 'list'] as const),
  ...['items', 'additionalItems', 'additionalProperties', 'unevaluatedItems', 'unevaluatedProperties', 'contains'].map(
    (keyword) => [keyword, 'value'] as const,
  ),
  ...['propertyNames', 'not', 'if', 'then', 'else', 'contentSchema'].map((keyword) => [keyword, 'value'] as const),
]);

/**
 * The resources of a schema and of the documents that it may refer to (draft 2020-12, sections 8.2 and 9): `$id` defines a base and a
 * name, `$anchor` a name in its resource, and a fragment is resolved in the resource that the reference names.
 */
export class SchemaReferences {
  readonly #resources = new Map<string, Resource>();
  readonly #places = new Map<object, Resource>();
  readonly root: Resource;

  /** @param documents other documents, by the URI that references use */
  constructor(root: unknown, documents: Readonly<Record<string, unknown>> = {}) {
    this.root = this.#document(root, UNNAMED);
    for (const [uri, document] of Object.entries(documents)) {
      this.#document(document, withoutFragment(fastUri().resolve(UNNAMED, uri)));
    }
  }

  /** Returns the resource that contains `schema`, which is `around` unless the schema has an identifier. */
  resourceOf(schema: object, around: Resource): Resource {
    return this.#places.get(schema) ?? around;
  }

  /** Returns all resources, in the order in which they were found. */
  resources(): Iterable<Resource> {
    return this.#resources.values();
  }

  /**
   * Resolves a reference.
   * @param from the resource that contains the reference
   * @param place the keyword and its location, for the error
   * @throws LoopShardError SCHEMA_INVALID if the reference has no target
   */
  resolve(reference: string, from: Resource, place: string): Target {
    const found = this.find(reference, from);
    if (typeof found !== 'string') return found;
    throw new LoopShardError('SCHEMA_INVALID', `Cannot resolve ${place}: "${reference}" ${found}.`);
  }

  /** Returns the target, or the reason why the reference cannot be resolved. */
  find(reference: string, from: Resource): Target | string {
    let found = from.found.get(reference);
    if (found === undefined) from.found.set(reference, (found = this.#find(reference, from)));
    return found;
  }

  #find(reference: string, from: Resource): Target | string {
    const hash = reference.indexOf('#');
    const uri = hash === 0 ? from.uri : withoutFragment(fastUri().resolve(from.uri, reference));
    const resource = hash === 0 ? from : this.#resources.get(uri);
    if (resource === undefined) return this.#byKey(reference);
    const fragment = decoded(hash < 0 ? '' : reference.slice(hash + 1));
    if (fragment === undefined) return 'has invalid percent-encoding';
    if (fragment === '') return { schema: resource.root, resource };
    if (fragment.startsWith('/')) return this.#follow(resource, fragment);
    const schema = resource.anchors.get(fragment);
    if (schema !== undefined) return { schema, resource };
    return `matches no \`$anchor\` of ${named(resource)}`;
  }

  /** Resolves a bare key of the root's `$defs`, as in references of TypeBox. */
  #byKey(reference: string): Target | string {
    const { $defs, definitions } = (this.root.root ?? {}) as Record<string, unknown>;
    for (const parts of [$defs, definitions]) {
      if (isObject(parts) && Object.hasOwn(parts, reference)) {
        const schema = parts[reference];
        return { schema, resource: isObject(schema) ? this.resourceOf(schema, this.root) : this.root };
      }
    }
    return 'matches no `$id`. Pass the document that has it in the option `schemas`';
  }

  #follow(start: Resource, pointer: string): Target | string {
    let schema: unknown = start.root;
    let resource = start;
    for (const part of pointer.split('/').slice(1)) {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      if (typeof schema !== 'object' || schema === null || !Object.hasOwn(schema, key)) {
        return `does not exist in ${named(start)}`;
      }
      schema = (schema as Record<string, unknown>)[key];
      if (isObject(schema)) resource = this.#places.get(schema) ?? resource;
    }
    if (isObject(schema) && !this.#places.has(schema)) this.#collect(schema, resource);
    return { schema, resource: isObject(schema) ? this.resourceOf(schema, resource) : resource };
  }

  #document(root: unknown, uri: string): Resource {
    const resource = this.#open(root, uri, '2020-12');
    this.#collect(root, resource);
    return isObject(root) ? (this.#places.get(root) ?? resource) : resource;
  }

  #open(root: unknown, uri: string, inherited: Dialect): Resource {
    const dialect = isObject(root) ? dialectOf(root.$schema, inherited) : inherited;
    const resource = { uri, root, dialect, anchors: new Map(), dynamic: new Map(), found: new Map() };
    if (!this.#resources.has(uri)) this.#resources.set(uri, resource);
    return resource;
  }

  #collect(schema: unknown, around: Resource): void {
    if (!isObject(schema) || this.#places.has(schema)) return;
    const resource = this.#identified(schema, around);
    this.#places.set(schema, resource);
    this.#nameAnchors(schema, resource);
    for (const keyword in schema) {
      const where = SCHEMAS_IN.get(keyword);
      if (where === undefined) continue;
      const value = schema[keyword];
      if (where === 'map') {
        if (isObject(value)) for (const part of Object.values(value)) this.#collect(part, resource);
      } else if (Array.isArray(value)) for (const part of value) this.#collect(part, resource);
      else if (where === 'value') this.#collect(value, resource);
    }
  }

  #identified(schema: Record<string, unknown>, around: Resource): Resource {
    const { $id } = schema;
    const isReference = around.dialect === 'draft-07' && schema.$ref !== undefined && schema !== around.root;
    if (typeof $id !== 'string' || isReference) return around;
    const uri = fastUri().resolve(around.uri, $id);
    const hash = $id.indexOf('#');
    // Draft 7 has no `$anchor`; an `$id` with a fragment has the same meaning.
    if (hash >= 0 && $id.length > hash + 1) {
      const resource = hash === 0 ? around : this.#resource(schema, withoutFragment(uri), around);
      resource.anchors.set($id.slice(hash + 1), schema);
      return resource;
    }
    return this.#resource(schema, withoutFragment(uri), around);
  }

  #resource(schema: Record<string, unknown>, uri: string, around: Resource): Resource {
    const known = this.#resources.get(uri);
    return known?.root === schema ? known : this.#open(schema, uri, around.dialect);
  }

  #nameAnchors(schema: Record<string, unknown>, resource: Resource): void {
    const { $anchor, $dynamicAnchor, $recursiveAnchor } = schema;
    if (resource.dialect === 'draft-07') return;
    if (typeof $anchor === 'string') resource.anchors.set($anchor, schema);
    if (typeof $dynamicAnchor === 'string') {
      resource.anchors.set($dynamicAnchor, schema);
      resource.dynamic.set($dynamicAnchor, schema);
    }
    if ($recursiveAnchor === true && schema === resource.root) resource.dynamic.set(RECURSIVE_ANCHOR, schema);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function dialectOf($schema: unknown, inherited: Dialect): Dialect {
  if (typeof $schema !== 'string') return inherited;
  if (/draft-0[3-7]/.test($schema)) return 'draft-07';
  return $schema.includes('2019-09') ? '2019-09' : '2020-12';
}

function withoutFragment(uri: string): string {
  return uri.split('#', 1)[0];
}

function decoded(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function named(resource: Resource): string {
  return resource.uri.startsWith(UNNAMED) ? 'the schema' : `"${resource.uri}"`;
}
