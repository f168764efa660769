/* Converts options from sections to a flat object, and back for the command line. */
import { closest, distance } from 'fastest-levenshtein';
import { LoopShardError } from '../errors.js';
import { list, Subject, show } from './checks.js';
import type { FlatOptions } from './flat-options.js';
import type { ServeOptions } from './serve-options.js';
import {
  entryOf,
  namesIn,
  OPTION_NAMES,
  OPTIONS,
  type OptionName,
  pathOf,
  SECTION_NAMES,
  SECTIONS,
  type SectionName,
} from './table.js';

const subject = new Subject('OPTION_INVALID');

/**
 * Returns the options without their sections. Checks names only, not values.
 * @throws LoopShardError OPTION_UNKNOWN, OPTION_INVALID
 */
export function flatten(options: ServeOptions): FlatOptions {
  if (!isObject(options))
    throw subject.wrong(`Options must be an object such as \`{ port: 8000 }\`, got ${show(options)}.`);
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (isSection(name)) Object.assign(flat, contents(name, value));
    else flat[checkName(name, value, undefined)] = value;
  }
  return flat as FlatOptions;
}

/** Reverses `flatten`. Ignores names that are not in the table. */
export function nest(flat: FlatOptions): ServeOptions {
  const nested: Record<string, unknown> = pick(flat, namesIn(undefined));
  for (const section of SECTION_NAMES) {
    const own = pick(flat, namesIn(section));
    if (Object.keys(own).length > 0) nested[section] = own;
  }
  return nested;
}

function pick(flat: FlatOptions, names: readonly OptionName[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => flat[name] !== undefined).map((name) => [name, flat[name]]));
}

function contents(section: SectionName, value: unknown): Record<string, unknown> {
  if (value === undefined) return {};
  if (!isObject(value)) throw subject.invalid(section, `an object such as \`${example(namesIn(section)[0])}\``, value);
  for (const [name, own] of Object.entries(value)) checkName(name, own, section);
  return value;
}

/** Returns the name if it is an option of the section; throws otherwise. */
function checkName(name: string, value: unknown, section: SectionName | undefined): string {
  if (isSection(name)) throw subject.wrong(`Option \`${name}\` belongs at the top level, not in \`${section}\`.`);
  if (!isOption(name)) throw unknown(name, section);
  const place = entryOf(name).section;
  if (place === section) return name;
  const others = section === undefined ? '' : `, not in \`${section}\``;
  const where = place === undefined ? 'at the top level' : `in \`${place}\``;
  const right = place === undefined ? example(name, value) : `{ ${place}: ${example(name, value)} }`;
  throw subject.wrong(`Option \`${name}\` belongs ${where}${others}: \`${right}\`.`);
}

/** Formats the option as code, with its value or an example. */
function example(name: OptionName, value: unknown = entryOf(name).default): string {
  const isShown = ['number', 'string', 'boolean'].includes(typeof value);
  return `{ ${name}: ${isShown ? show(value) : '…'} }`;
}

function unknown(name: string, section: SectionName | undefined): LoopShardError {
  const [given, of] = section === undefined ? [name, ''] : [`${section}.${name}`, ` of \`${section}\``];
  const near = nearest(name);
  const known = section === undefined ? [...namesIn(undefined), ...SECTION_NAMES] : namesIn(section);
  const help = near === undefined ? `Known options${of}: ${list(known)}.` : `Did you mean \`${near}\`?`;
  return new LoopShardError('OPTION_UNKNOWN', `Unknown option \`${given}\`. ${help}`);
}

/** Returns the path of the option or section with the most similar name, if it is similar enough to be a typo. */
function nearest(name: string): string | undefined {
  const near = closest(name, [...OPTION_NAMES, ...SECTION_NAMES]);
  if (distance(name, near) > Math.max(2, name.length / 3)) return undefined;
  return isSection(near) ? near : pathOf(near as OptionName);
}

function isOption(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

function isSection(name: string): name is SectionName {
  return Object.hasOwn(SECTIONS, name);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
