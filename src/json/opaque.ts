/* Finds objects whose content JSON.stringify does not see, so that it writes `{}`. */

/** What an opaque object is, and what to use instead. */
export interface OpaqueKind {
  readonly name: string;
  readonly advice: string;
}

/** An opaque object inside another value. */
export interface OpaquePart extends OpaqueKind {
  /** The keys that lead to it; empty for the value itself. */
  readonly path: readonly string[];
}

/** Built-in classes that are never written as JSON objects on purpose, by their tags. */
const NAMED = new Map<string, OpaqueKind>([
  ['Map', { name: 'a `Map`', advice: 'Use `Object.fromEntries(map)` or `[...map]`.' }],
  ['Set', { name: 'a `Set`', advice: 'Use `[...set]`.' }],
  ['Promise', { name: 'a promise', advice: 'Await it first.' }],
  ['Error', { name: 'an `Error`', advice: 'Throw it, or use an object with what the client may see.' }],
]);

/** Built-in classes whose instances have a useful JSON representation, by their tags. */
const TRANSPARENT = new Set(['Object', 'Array', 'Arguments', 'Boolean', 'Number', 'String', 'Date']);

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** Whether an object is an instance of a class that may be opaque: some of them are not if they have own properties. */
export function mayBeOpaque(value: object): boolean {
  return !TRANSPARENT.has(tagOf(value));
}

/** Returns an empty object that counts as opaque if `value` does. */
export function withTagOf(value: object): Record<string, unknown> {
  return Object.create(null, { [Symbol.toStringTag]: { value: tagOf(value) } });
}

/** Returns the kind of an object that is opaque and has no `toJSON`. */
export function opaqueKind(value: object): OpaqueKind | undefined {
  const tag = tagOf(value);
  if (TRANSPARENT.has(tag)) return undefined;
  const named = NAMED.get(tag);
  if (named !== undefined || Object.keys(value).length > 0) return named;
  return { name: `an instance of \`${tag}\``, advice: 'Use a JSON value.' };
}

/**
 * Searches a value that JSON.stringify has accepted for an opaque object that it has written as `{}`.
 * @param kindOf tells which objects are opaque
 */
export function findOpaque(
  value: unknown,
  kindOf: (value: object) => OpaqueKind | undefined = opaqueKind,
  path: readonly string[] = [],
): OpaquePart | undefined {
  const keys: string[] = [];
  const kind = find(value, kindOf, keys);
  return kind && { ...kind, path: [...path, ...keys.reverse()] };
}

/** @param keys gets the keys that lead to what is found, innermost first */
function find(
  value: unknown,
  kindOf: (value: object) => OpaqueKind | undefined,
  keys: string[],
): OpaqueKind | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined;
  // JSON.stringify writes only the items of an array.
  if (Array.isArray(value)) return findIn(value.keys(), value, kindOf, keys);
  const own = Object.keys(value);
  const kind = own.length === 0 ? kindOf(value) : undefined;
  return kind ?? findIn(own, value, kindOf, keys);
}

function findIn(
  own: Iterable<string | number>,
  value: object,
  kindOf: (value: object) => OpaqueKind | undefined,
  keys: string[],
): OpaqueKind | undefined {
  for (const key of own) {
    const found = find((value as Record<string | number, unknown>)[key], kindOf, keys);
    if (found === undefined) continue;
    keys.push(String(key));
    return found;
  }
  return undefined;
}
