import { typeOf } from './judge.js';
import { ALL, ARRAY, BOOLEAN, type Choice, NULL, OBJECT, type Part, STRING, unlessContained } from './parts.js';
import type { WriterOptions } from './schema.js';
import { jsonEqual } from './values.js';

/** A property of an object, in the order of writing. */
export interface Property {
  readonly key: string;
  /** `"key":` */
  readonly label: string;
  readonly required: boolean;
  readonly node: Node;
  /** The text to write if the property is absent. */
  readonly fallback: string | undefined;
}

/** How the object of a node is written. */
export interface ObjectShape {
  readonly properties: readonly Property[];
  /** Patterns that decide about properties that are not in `properties`. */
  readonly patterns: readonly RegExp[];
  /** Returns the rule for such a property, by the subset of `patterns` that its name matches. */
  readonly extra: (matching: readonly RegExp[]) => Extra;
}

/** The rule for an unlisted property: its node, or it is omitted or rejected. */
export type Extra = Node | 'omit' | 'reject';

/** Returns the rule for an unlisted property. */
export function extraOf({ patterns, extra }: ObjectShape, key: string): Extra {
  return extra(patterns.length === 0 ? patterns : patterns.filter((pattern) => pattern.test(key)));
}

/** How the array of a node is written. */
export interface ArrayShape {
  readonly prefix: readonly Node[];
  readonly items: Node;
  readonly minItems: number;
  readonly maxItems: number;
}

/** The values that a node accepts, as far as types and constants determine. */
export interface Accepted {
  /** Types of which every value is accepted. */
  readonly types: number;
  /** Additional single values. */
  readonly constants: readonly unknown[];
  readonly texts: readonly string[];
}

/** A property whose value determines the branch of a choice. */
export interface Discriminator {
  readonly property: string;
  readonly branches: ReadonlyMap<unknown, number>;
}

/**
 * The rules for one place of a value: a conjunction of parts, with the choices already made. Equal parts and choices give the same node,
 * so that a schema becomes a graph of nodes, however many paths lead through it.
 */
export class Node {
  constructor(
    readonly id: number,
    /** All parts that apply. Referenced parts come before the parts that refer to them. */
    readonly members: readonly Part[],
    /** The next choice to make for an object or an array. */
    readonly choice: Choice | undefined,
    /** Members that apply because another one does. */
    readonly links: ReadonlyMap<Part, readonly Part[]>,
    /** The parts and decisions that define the node. */
    readonly roots: readonly Part[],
    readonly decisions: ReadonlyMap<Choice, readonly number[]>,
  ) {}
}

/** Maximum number of cached nodes of a plan. Further nodes that depend on the data are planned each time. */
const MAX_NODES = 100_000;
const NOTHING: Accepted = { types: 0, constants: [], texts: [] };

/** Plans how values are written: turns parts into nodes, each on first use. */
export class Planner {
  readonly #unlisted: NonNullable<WriterOptions['unlisted']>;
  readonly #useDefaults: boolean;
  readonly #nodes = new Map<string, Node>();
  readonly #accepted = new Map<Part, Accepted>();
  readonly #nodeAccepted = new WeakMap<Node, Accepted>();
  readonly #objects = new WeakMap<Node, ObjectShape>();
  readonly #arrays = new WeakMap<Node, ArrayShape>();
  readonly #contributing = new Map<Part, boolean>();
  readonly #required = new Map<Part, readonly string[]>();
  readonly #discriminators = new WeakMap<Node, Discriminator | null>();
  /** Parts created for `unevaluatedItems`, by the parts they depend on. */
  readonly #conditional = new Map<string, Part>();
  #count = 0;
  readonly any: Node;

  constructor(options: Pick<WriterOptions, 'unlisted' | 'useDefaults'> = {}) {
    this.#unlisted = options.unlisted ?? 'omit';
    this.#useDefaults = options.useDefaults ?? false;
    this.any = this.node([]);
  }

  /** Returns the node of a place to which all of `parts` apply. */
  node(parts: readonly Part[]): Node {
    return this.#node(parts, new Map());
  }

  /** Returns the node after the choice of `node`: the branches `indexes` apply. */
  variant(node: Node, indexes: readonly number[]): Node {
    return this.#node(node.roots, new Map(node.decisions).set(node.choice!, indexes));
  }

  #node(parts: readonly Part[], made: ReadonlyMap<Choice, readonly number[]>): Node {
    const { roots, decisions } = canonical(parts, made);
    const decided = [...decisions].map(([choice, indexes]) => `${choice.id}:${indexes.join('.')}`);
    const key = `${roots.map((part) => part.id).join()}|${decided.join()}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const node = flattened(this.#count++, roots, decisions);
    if (this.#nodes.size < MAX_NODES) this.#nodes.set(key, node);
    return node;
  }

  /** Whether the node accepts any value. */
  isAny(node: Node): boolean {
    return node.members.every(saysNothing) && node.choice === undefined;
  }

  accepted(node: Node): Accepted {
    let accepted = this.#nodeAccepted.get(node);
    if (accepted === undefined) {
      accepted = node.roots.reduce<Accepted>((all, part) => both(all, this.#acceptedBy(part)), {
        types: ALL,
        constants: [],
        texts: [],
      });
      for (const [choice, indexes] of node.decisions) {
        for (const i of indexes) accepted = both(accepted, this.#acceptedBy(choice.branches[i]));
      }
      this.#nodeAccepted.set(node, accepted);
    }
    return accepted;
  }

  #acceptedBy(part: Part): Accepted {
    const known = this.#accepted.get(part);
    if (known !== undefined) return known;
    let accepted = ownAccepted(part);
    for (const next of part.same) accepted = both(accepted, this.#acceptedBy(next));
    for (const { kind, branches } of part.choices) {
      if (kind === 'dependent') continue;
      const taken = branches.map((branch) => this.#acceptedBy(branch));
      const alternatives = kind === 'if' ? [both(taken[0], taken[1]), taken[2]] : taken;
      accepted = both(accepted, alternatives.reduce(either, NOTHING));
    }
    this.#accepted.set(part, accepted);
    return accepted;
  }

  /** Returns the `format` of the node's strings: that of the first part that accepts strings and has one. */
  format(node: Node): string {
    const parts = new Set(node.members);
    for (const part of parts) {
      if (!takes(this.#acceptedBy(part), STRING)) continue;
      if (part.format !== '') return part.format;
      for (const next of part.same) parts.add(next);
      for (const { branches } of part.choices) for (const branch of branches) parts.add(branch);
    }
    return '';
  }

  /** Returns the required properties of the part, including those of its references and `allOf`. */
  required(part: Part): readonly string[] {
    let required = this.#required.get(part);
    if (required === undefined) {
      required = [...new Set([...part.required, ...part.same.flatMap((next) => this.required(next))])];
      this.#required.set(part, required);
    }
    return required;
  }

  /** Returns the branches of the node's choice that a value of `type` (OBJECT or ARRAY) can match. */
  candidates(node: Node, type: number): readonly number[] {
    const { branches } = node.choice!;
    return [...branches.keys()].filter((i) => takes(this.#acceptedBy(branches[i]), type));
  }

  /** Returns the only branch of the node's choice that a value of `type` can match; `undefined` if it depends on the value. */
  onlyCandidate(node: Node, type: number): number | undefined {
    const { kind } = node.choice!;
    const candidates = kind === 'any' || kind === 'one' ? this.candidates(node, type) : [];
    return candidates.length === 1 ? candidates[0] : undefined;
  }

  /** Returns the branches that affect the output. The others only decide whether the value matches. */
  contributing(node: Node, indexes: readonly number[]): readonly number[] {
    return indexes.filter((i) => this.#contributes(node, node.choice!.branches[i]));
  }

  #contributes(node: Node, part: Part): boolean {
    const isNamed = (key: string) => node.members.some((member) => member.properties?.has(key));
    return this.#shapes(part) || !part.required.every(isNamed);
  }

  #shapes(part: Part): boolean {
    const known = this.#contributing.get(part);
    if (known !== undefined) return known;
    const shapes =
      part.namesProperties ||
      part.describesItems ||
      part.never ||
      part.constants !== undefined ||
      part.same.some((next) => this.#shapes(next) || next.required.length > 0) ||
      part.choices.some(({ branches }) =>
        branches.some((branch) => this.#shapes(branch) || branch.required.length > 0),
      );
    this.#contributing.set(part, shapes);
    return shapes;
  }

  /** Returns the property that determines the branch for an object, if any. */
  discriminator(node: Node): Discriminator | undefined {
    let found = this.#discriminators.get(node);
    if (found === undefined) {
      found = this.#discriminator(node) ?? null;
      this.#discriminators.set(node, found);
    }
    return found ?? undefined;
  }

  #discriminator(node: Node): Discriminator | undefined {
    const { kind, branches, discriminator } = node.choice!;
    if (kind !== 'any' && kind !== 'one') return undefined;
    if (discriminator !== undefined && discriminator.names.size > 0) {
      return { property: discriminator.property, branches: discriminator.names };
    }
    const candidates = this.candidates(node, OBJECT);
    if (candidates.length < 2) return undefined;
    for (const property of constantProperties(branches[candidates[0]])) {
      const found = this.#byConstant(property, candidates, branches);
      if (found !== undefined) return { property, branches: found };
    }
    return undefined;
  }

  /** Returns the branch for each constant of the property, if all branches have constants and no constant occurs twice. */
  #byConstant(
    property: string,
    candidates: readonly number[],
    branches: readonly Part[],
  ): ReadonlyMap<unknown, number> | undefined {
    const found = new Map<unknown, number>();
    for (const i of candidates) {
      const { types, constants } = this.#propertyAccepted(branches[i], property);
      if (types !== 0 || constants.length === 0) return undefined;
      for (const constant of constants) {
        if (typeof constant === 'object' || found.has(constant)) return undefined;
        found.set(constant, i);
      }
    }
    return found;
  }

  #propertyAccepted(part: Part, key: string): Accepted {
    const own = part.properties?.get(key);
    let accepted = own === undefined ? EVERYTHING : this.#acceptedBy(own);
    for (const next of part.same) accepted = both(accepted, this.#propertyAccepted(next, key));
    return accepted;
  }

  /** Whether the node describes objects. If not, JSON.stringify writes them. */
  describesObjects(node: Node): boolean {
    return (
      node.members.some((member) => member.namesProperties || member.required.length > 0) || this.#unlisted === 'reject'
    );
  }

  /** Whether values of the node may be objects or arrays that the schema describes. */
  isContainer(node: Node): boolean {
    const { types } = this.accepted(node);
    if ((types & (OBJECT | ARRAY)) === 0) return false;
    return node.choice !== undefined || this.describesObjects(node) || this.describesArrays(node);
  }

  /** Whether several places use the node. */
  isShared(node: Node): boolean {
    return node.roots.some((part) => part.uses > 1);
  }

  describesArrays(node: Node): boolean {
    return node.members.some(
      (member) => member.describesItems || member.minItems > 0 || member.maxItems < Number.POSITIVE_INFINITY,
    );
  }

  object(node: Node): ObjectShape {
    let shape = this.#objects.get(node);
    if (shape === undefined) {
      shape = this.#object(node);
      this.#objects.set(node, shape);
    }
    return shape;
  }

  #object(node: Node): ObjectShape {
    const { members } = node;
    const required = new Set(members.flatMap((member) => member.required));
    const keys = new Set(members.flatMap((member) => [...(member.properties?.keys() ?? []), ...member.required]));
    const scopes = members.filter((member) => member.unevaluatedProperties).map((member) => scopeOf(node, member));
    const properties = [...keys].map((key): Property => {
      const child = this.node(propertyParts(members, scopes, key, (pattern) => pattern.test(key)));
      const fallback = this.#useDefaults ? child.members.find((part) => part.fallback)?.fallback : undefined;
      return { key, label: `${JSON.stringify(key)}:`, required: required.has(key), node: child, fallback };
    });
    const unlisted = this.#unlistedIn(members);
    const extras = new Map<string, Extra>();
    const extra = (matching: readonly RegExp[]): Extra => {
      const name = matching.join(' ');
      let known = extras.get(name);
      if (known === undefined) {
        const parts = propertyParts(members, scopes, undefined, (pattern) =>
          matching.some((one) => isSame(one, pattern)),
        );
        if (parts.length === 0) known = unlisted;
        else known = parts.some((part) => part.never) ? 'reject' : this.node(parts);
        extras.set(name, known);
      }
      return known;
    };
    return {
      properties,
      patterns: distinct(members.flatMap((member) => member.patterns.map(([pattern]) => pattern))),
      extra,
    };
  }

  #unlistedIn(members: readonly Part[]): Node | 'omit' | 'reject' {
    // `{ type: 'object' }` alone names no property, so all properties are written.
    const chosen = members.some((member) => member.namesProperties);
    return this.#unlisted === 'write' || (this.#unlisted === 'omit' && !chosen) ? this.any : this.#unlisted;
  }

  array(node: Node): ArrayShape {
    let shape = this.#arrays.get(node);
    if (shape === undefined) {
      shape = this.#array(node);
      this.#arrays.set(node, shape);
    }
    return shape;
  }

  #array(node: Node): ArrayShape {
    const { members } = node;
    const length = Math.max(0, ...members.map((member) => member.prefix.length));
    const scopes = members.filter((member) => member.unevaluatedItems).map((member) => scopeOf(node, member));
    const part = (i: number) => this.node(this.#itemParts(members, scopes, i));
    return {
      prefix: Array.from({ length }, (_, i) => part(i)),
      items: part(length),
      minItems: Math.max(0, ...members.map((member) => member.minItems)),
      maxItems: Math.min(...members.map((member) => member.maxItems)),
    };
  }

  #unlessContained(member: Part, contained: readonly Part[]): Part {
    const key = [member, ...contained].map((part) => part.id).join();
    let part = this.#conditional.get(key);
    if (part === undefined) {
      part = unlessContained(-3 * (this.#conditional.size + 1), member.unevaluatedItems!, contained);
      this.#conditional.set(key, part);
    }
    return part;
  }

  #itemParts(members: readonly Part[], scopes: readonly ScopeOfPart[], i: number): Part[] {
    const parts: Part[] = [];
    const evaluating = new Set<Part>();
    for (const member of members) {
      const part = i < member.prefix.length ? member.prefix[i] : member.items;
      if (part !== undefined) {
        parts.push(part);
        evaluating.add(member);
      }
      // If `contains` only decides whether an item matches, it does not affect the output.
      const { mayContain } = member;
      if (mayContain !== undefined && this.#shapes(member.contains!)) parts.push(mayContain);
    }
    for (const { member, scope } of scopes) {
      if (scope.some((part) => evaluating.has(part))) continue;
      const contained = scope.filter((part) => part.containsEvaluates).map((part) => part.contains!);
      parts.push(contained.length === 0 ? member.unevaluatedItems! : this.#unlessContained(member, contained));
      evaluating.add(member);
    }
    return parts;
  }
}

const EVERYTHING: Accepted = { types: ALL, constants: [], texts: [] };

/** Replaces a part that is only a reference by its target. */
function referred(part: Part): Part {
  while (part.same.length === 1 && isBare(part) && part.choices.length === 0) part = part.same[0];
  return part;
}

function saysNothing(part: Part): boolean {
  return part.same.length === 0 && part.choices.length === 0 && isBare(part);
}

/** Whether the part has only references and choices, and no other keywords that affect writing. */
function isBare(part: Part): boolean {
  return (
    part.types === ALL &&
    part.constants === undefined &&
    part.format === '' &&
    part.fallback === undefined &&
    !part.namesProperties &&
    part.required.length === 0 &&
    !part.describesItems &&
    part.minItems === 0 &&
    part.maxItems === Number.POSITIVE_INFINITY
  );
}

/** Returns the same parts and decisions in canonical form: a part that is only a choice already made becomes the chosen branches. */
function canonical(
  parts: readonly Part[],
  made: ReadonlyMap<Choice, readonly number[]>,
): { roots: readonly Part[]; decisions: ReadonlyMap<Choice, readonly number[]> } {
  const roots = new Set(parts.map(referred));
  const decisions = new Map(made);
  for (const part of roots) {
    const [choice] = part.choices;
    const indexes = part.choices.length === 1 && part.same.length === 0 && isBare(part) && decisions.get(choice);
    if (indexes) {
      for (const i of indexes) roots.add(referred(choice.branches[i]));
      decisions.delete(choice);
      roots.delete(part);
    } else if (saysNothing(part)) roots.delete(part);
  }
  return { roots: [...roots], decisions };
}

function flattened(id: number, roots: readonly Part[], decisions: ReadonlyMap<Choice, readonly number[]>): Node {
  const members: Part[] = [];
  const links = new Map<Part, Part[]>();
  let open: Choice | undefined;
  const visit = (part: Part) => {
    if (links.has(part)) return;
    const chosen: Part[] = [];
    links.set(part, [...part.same]);
    part.same.forEach(visit);
    members.push(part);
    for (const choice of part.choices) {
      const indexes = decisions.get(choice);
      if (indexes === undefined) open ??= choice;
      else chosen.push(...indexes.map((i) => choice.branches[i]));
    }
    links.get(part)!.push(...chosen);
    chosen.forEach(visit);
  };
  roots.forEach(visit);
  return new Node(id, members, open, links, roots, decisions);
}

/** A part with `unevaluatedProperties` or `unevaluatedItems`, and the members whose evaluations count for it. */
interface ScopeOfPart {
  readonly member: Part;
  readonly scope: readonly Part[];
}

function scopeOf(node: Node, member: Part): ScopeOfPart {
  const scope = new Set<Part>([member]);
  for (const part of scope) for (const next of node.links.get(part) ?? []) scope.add(next);
  return { member, scope: [...scope] };
}

/**
 * Returns the parts that apply to a property, from all members.
 * @param key `undefined` for a property that no member lists
 */
function propertyParts(
  members: readonly Part[],
  scopes: readonly ScopeOfPart[],
  key: string | undefined,
  matches: (pattern: RegExp) => boolean,
): Part[] {
  const parts: Part[] = [];
  const evaluating = new Set<Part>();
  for (const member of members) {
    const own = key === undefined ? undefined : member.properties?.get(key);
    const found = own === undefined ? [] : [own];
    for (const [pattern, part] of member.patterns) if (matches(pattern)) found.push(part);
    if (found.length === 0 && member.additional !== undefined) found.push(member.additional);
    if (found.length > 0) evaluating.add(member);
    parts.push(...found);
  }
  // From the inside out, because what an inner part evaluates counts as evaluated for an outer one.
  for (const { member, scope } of [...scopes].sort((a, b) => a.scope.length - b.scope.length)) {
    if (scope.some((part) => evaluating.has(part))) continue;
    parts.push(member.unevaluatedProperties!);
    evaluating.add(member);
  }
  return parts;
}

function isSame(a: RegExp, b: RegExp): boolean {
  return a.source === b.source && a.flags === b.flags;
}

function distinct(patterns: readonly RegExp[]): readonly RegExp[] {
  return patterns.filter((pattern, i) => patterns.findIndex((other) => isSame(other, pattern)) === i);
}

/** Returns the properties for which the part, or one that always applies with it, has constants. */
function constantProperties(part: Part): string[] {
  const own = [...(part.properties ?? [])].filter(([, property]) => referred(property).constants !== undefined);
  return [...own.map(([key]) => key), ...part.same.flatMap(constantProperties)];
}

function ownAccepted(part: Part): Accepted {
  if (part.never) return NOTHING;
  if (part.constants === undefined) return { types: part.types, constants: [], texts: [] };
  return accept(
    0,
    part.constants.filter((value) => (typeOf(value) & part.types) !== 0),
  );
}

/** Combines types and constants. If all values of a type are listed, they become the type. */
function accept(types: number, values: readonly unknown[]): Accepted {
  if (values.includes(null)) types |= NULL;
  if (values.includes(true) && values.includes(false)) types |= BOOLEAN;
  const constants = new Constants();
  for (const value of values) if ((typeOf(value) & types) === 0) constants.add(value);
  return { types, constants: constants.values, texts: constants.values.map((value) => JSON.stringify(value)) };
}

function both(a: Accepted, b: Accepted): Accepted {
  if (a.types === ALL) return b;
  if (b.types === ALL) return a;
  const inBoth = (from: Accepted, other: Accepted) => {
    const constants = new Constants(other.constants);
    return from.constants.filter((value) => (typeOf(value) & other.types) !== 0 || constants.has(value));
  };
  return accept(a.types & b.types, [...inBoth(a, b), ...inBoth(b, a)]);
}

function either(a: Accepted, b: Accepted): Accepted {
  if (a === NOTHING) return b;
  return accept(a.types | b.types, [...a.constants, ...b.constants]);
}

/** A set of JSON values. */
class Constants {
  readonly values: unknown[] = [];
  readonly #scalars = new Set<unknown>();
  readonly #objects: unknown[] = [];

  constructor(values: readonly unknown[] = []) {
    for (const value of values) this.add(value);
  }

  add(value: unknown): void {
    if (this.has(value)) return;
    this.values.push(value);
    if (typeof value === 'object') this.#objects.push(value);
    else this.#scalars.add(value);
  }

  has(value: unknown): boolean {
    if (typeof value !== 'object') return this.#scalars.has(value);
    return this.#objects.some((known) => jsonEqual(known, value));
  }
}

/** Whether any value of the type is accepted. */
function takes(accepted: Accepted, type: number): boolean {
  return (accepted.types & type) !== 0 || accepted.constants.some((constant) => (typeOf(constant) & type) !== 0);
}
