import { LoopShardError } from '../errors.js';

/** Finds what `$ref` names: by JSON pointer (RFC 6901), by `$id` or `$anchor`, or, as TypeBox does, by a key of `$defs`. */
export class SchemaReferences {
  readonly #root: unknown;
  readonly #named = new Map<string, unknown>();

  constructor(root: unknown) {
    this.#root = root;
    this.#collect(root, new Set());
  }

  /** @throws LoopShardError SCHEMA_INVALID */
  resolve(reference: string): unknown {
    if (reference === '#') return this.#root;
    const named = this.#named.get(reference) ?? this.#named.get(reference.replace(/^#/, ''));
    if (named !== undefined) return named;
    const hash = reference.indexOf('#');
    if (hash >= 0) {
      const base = hash === 0 ? this.#root : this.#named.get(reference.slice(0, hash));
      const found = base === undefined ? undefined : follow(base, reference.slice(hash + 1));
      if (found !== undefined) return found;
    }
    throw new LoopShardError(
      'SCHEMA_INVALID',
      `Nothing in the schema answers to the reference "${reference}"; put what it names into $defs.`,
    );
  }

  #collect(schema: unknown, seen: Set<unknown>): void {
    if (typeof schema !== 'object' || schema === null || seen.has(schema)) return;
    seen.add(schema);
    const { $id, $anchor, $defs } = schema as Record<string, unknown>;
    if (typeof $id === 'string') this.#name($id, schema);
    if (typeof $anchor === 'string') this.#name($anchor, schema);
    if (typeof $defs === 'object' && $defs !== null) {
      for (const [key, part] of Object.entries($defs)) this.#name(key, part);
    }
    for (const part of Object.values(schema)) this.#collect(part, seen);
  }

  #name(name: string, schema: unknown): void {
    if (!this.#named.has(name)) this.#named.set(name, schema);
  }
}

function follow(base: unknown, pointer: string): unknown {
  let at: unknown = base;
  for (const part of pointer.split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}
