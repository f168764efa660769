import { inspect } from 'node:util';
import {
  appendTo,
  cookiesIn,
  type HeaderList,
  indexOf,
  listOf,
  removeFrom,
  setIn,
  sortedPairs,
  valueIn,
} from './header-list.js';
import { normalizeName, normalizeValue } from './header-syntax.js';
import { NativeHeaders } from './native.js';
import { standFor } from './stand-in.js';

/** Headers of a request that were not decoded yet. */
export interface HeaderSource {
  /** @param name in lower case */
  header(name: string): string | undefined;
  /** Decodes all headers. The list is the caller's. */
  headerList(): HeaderList;
}

/** Creates headers over a list, which they own from then on, or over headers that were not decoded yet. */
export let headersOver: (list: HeaderList | HeaderSource, isImmutable?: boolean) => LazyHeaders;

/** Returns the list of our headers without copying it, or `undefined` for another value. */
export let listIn: (value: unknown) => HeaderList | undefined;

/** Stands in for `Headers`. Shard only. */
export class LazyHeaders {
  #list: HeaderList | undefined;
  #source: HeaderSource | undefined;
  #isImmutable = false;
  /** What iterators see, until the headers change. */
  #sorted: [name: string, value: string][] | undefined;

  static {
    Object.defineProperty(LazyHeaders, 'name', { value: 'Headers' });
    headersOver = (list, isImmutable = false) => {
      const headers = new LazyHeaders();
      if (Array.isArray(list)) headers.#list = list;
      else {
        headers.#list = undefined;
        headers.#source = list;
      }
      headers.#isImmutable = isImmutable;
      return headers;
    };
    listIn = (value) =>
      typeof value === 'object' && value !== null && #list in value ? (value as LazyHeaders).#decoded : undefined;
  }

  /** @throws TypeError */
  constructor(init?: unknown) {
    this.#list = init === undefined ? [] : (listIn(init)?.slice() ?? listOf(init));
  }

  get [Symbol.toStringTag](): string {
    return 'Headers';
  }

  get(name: string): string | null {
    const wanted = normalizeName(name);
    if (this.#list === undefined) return this.#source!.header(wanted) ?? null;
    return valueIn(this.#list, wanted);
  }

  has(name: string): boolean {
    const wanted = normalizeName(name);
    if (this.#list === undefined) return this.#source!.header(wanted) !== undefined;
    return indexOf(this.#list, wanted) >= 0;
  }

  getSetCookie(): string[] {
    return cookiesIn(this.#decoded);
  }

  set(name: string, value: string): void {
    const key = normalizeName(name);
    const normalized = normalizeValue(key, value);
    setIn(this.#changing(), key, normalized);
  }

  append(name: string, value: string): void {
    const key = normalizeName(name);
    const normalized = normalizeValue(key, value);
    appendTo(this.#changing(), key, normalized);
  }

  delete(name: string): void {
    const key = normalizeName(name);
    removeFrom(this.#changing(), key);
  }

  forEach(callback: (value: string, name: string, headers: this) => void, thisArg?: unknown): void {
    if (typeof callback !== 'function') {
      throw new TypeError(`\`headers.forEach()\` expects a function, got ${inspect(callback)}.`);
    }
    for (const [name, value] of this.entries()) callback.call(thisArg, value, name, this);
  }

  keys(): IterableIterator<string> {
    return new HeadersIterator(
      () => this.#pairs,
      ([name]) => name,
    );
  }

  values(): IterableIterator<string> {
    return new HeadersIterator(
      () => this.#pairs,
      ([, value]) => value,
    );
  }

  entries(): IterableIterator<[string, string]> {
    return new HeadersIterator(
      () => this.#pairs,
      ([name, value]) => [name, value],
    );
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  [inspect.custom](): object {
    return Object.fromEntries(this.#pairs);
  }

  get #decoded(): HeaderList {
    this.#list ??= this.#source!.headerList();
    return this.#list;
  }

  get #pairs(): [name: string, value: string][] {
    this.#sorted ??= sortedPairs(this.#decoded);
    return this.#sorted;
  }

  /** @throws TypeError if the headers cannot be changed */
  #changing(): HeaderList {
    if (this.#isImmutable) throw new TypeError('Cannot change these headers: they are immutable.');
    this.#sorted = undefined;
    return this.#decoded;
  }
}

standFor(LazyHeaders, NativeHeaders);

type Pair = [name: string, value: string];

/** Iterates over headers. It sees changes that are made meanwhile, as Web IDL requires. */
class HeadersIterator<T> implements IterableIterator<T> {
  readonly #pairs: () => readonly Pair[];
  readonly #part: (pair: Pair) => T;
  #next = 0;

  constructor(pairs: () => readonly Pair[], part: (pair: Pair) => T) {
    this.#pairs = pairs;
    this.#part = part;
  }

  [Symbol.iterator](): this {
    return this;
  }

  get [Symbol.toStringTag](): string {
    return 'Headers Iterator';
  }

  next(): IteratorResult<T> {
    const pairs = this.#pairs();
    if (this.#next >= pairs.length) return { done: true, value: undefined };
    return { done: false, value: this.#part(pairs[this.#next++]) };
  }
}
