/* Lists of headers: lower-case names and values, one after the other. A name is in a list once, except `set-cookie`. */
import { separatorOf } from '../../app/request.js';
import { trim } from '../../options/field-syntax.js';
import { normalizeName, normalizeValue } from './header-syntax.js';

export type HeaderList = string[];

/** Returns the position of a name, or -1. */
export function indexOf(list: HeaderList, name: string): number {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return i;
  return -1;
}

/** Returns the value of a header, or `null`. Several `set-cookie` headers are joined. */
export function valueIn(list: HeaderList, name: string): string | null {
  const first = indexOf(list, name);
  if (first < 0) return null;
  return name === 'set-cookie' ? cookiesIn(list).join(', ') : list[first + 1];
}

/** Returns the values of all `set-cookie` headers. */
export function cookiesIn(list: HeaderList): string[] {
  return list.filter((_, i) => i % 2 === 1 && list[i - 1] === 'set-cookie');
}

/** Adds a header, and joins its value with an earlier one. Name and value must be normalized. */
export function appendTo(list: HeaderList, name: string, value: string): void {
  const at = name === 'set-cookie' ? -1 : indexOf(list, name);
  if (at < 0) list.push(name, value);
  else list[at + 1] += separatorOf(name) + value;
}

/** Sets a header in place of earlier values. Name and value must be normalized. */
export function setIn(list: HeaderList, name: string, value: string): void {
  const at = indexOf(list, name);
  if (at < 0) {
    list.push(name, value);
    return;
  }
  list[at + 1] = value;
  if (name === 'set-cookie') removeFrom(list, name, at + 2);
}

/** Removes a header. */
export function removeFrom(list: HeaderList, name: string, from = 0): void {
  for (let i = list.length - 2; i >= from; i -= 2) if (list[i] === name) list.splice(i, 2);
}

/** Returns the headers sorted by name, in pairs. */
export function sortedPairs(list: HeaderList): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < list.length; i += 2) pairs.push([list[i], list[i + 1]]);
  return pairs.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
}

/**
 * Creates the list of what a constructor was given: an iterable of pairs, or an object.
 * @throws TypeError
 */
export function listOf(init: unknown): HeaderList {
  const list: HeaderList = [];
  if ((typeof init !== 'object' && typeof init !== 'function') || init === null) throw notHeaders();
  const iterator = (init as Partial<Iterable<unknown>>)[Symbol.iterator];
  if (iterator === undefined || iterator === null) fillFromObject(list, init as Record<string, unknown>);
  else if (typeof iterator === 'function') fillFromPairs(list, init as Iterable<unknown>);
  else throw notHeaders();
  return list;
}

function fillFromObject(list: HeaderList, init: Record<string, unknown>): void {
  for (const key of Object.keys(init)) {
    const name = normalizeName(key);
    appendTo(list, name, normalizeValue(name, init[key]));
  }
}

function fillFromPairs(list: HeaderList, init: Iterable<unknown>): void {
  for (const pair of init) {
    if (typeof pair !== 'object' || pair === null || !(Symbol.iterator in pair)) throw notHeaders();
    const parts = [...(pair as Iterable<unknown>)];
    const [key, value] = parts;
    if (parts.length !== 2) {
      throw new TypeError('Invalid headers: expected pairs of a name and a value.');
    }
    const name = normalizeName(key);
    appendTo(list, name, normalizeValue(name, value));
  }
}

function notHeaders(): TypeError {
  return new TypeError('Invalid headers: expected an object, an iterable of pairs, or `Headers`.');
}

/**
 * Parses header lines.
 * @param lines `name: value`, separated by CRLF, as they were sent
 */
export function parseLines(lines: string): HeaderList {
  const list: HeaderList = [];
  for (let start = 0; start < lines.length; ) {
    const found = lines.indexOf('\r\n', start);
    const end = found < 0 ? lines.length : found;
    const colon = lines.indexOf(':', start);
    appendTo(list, lines.slice(start, colon).toLowerCase(), trim(lines.slice(colon + 1, end)));
    start = end + 2;
  }
  return list;
}
