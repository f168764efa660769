import { ARRAY, OBJECT } from './parts.js';
import type { Node, Planner } from './plan.js';

/** A choice with at most so many branches that several of may apply at once has code for each set of them. */
const MAX_BRANCHES_OF_SETS = 3;
/** Nodes of choices made in one place; what the data chooses beyond them is left to the plain lane. */
const MAX_VARIANTS = 256;

/** Whether values of the node may be objects or arrays of which the schema says something. */
export function isContainer(planner: Planner, node: Node): boolean {
  const { types } = planner.accepted(node);
  if ((types & (OBJECT | ARRAY)) === 0) return false;
  return node.choice !== undefined || planner.describesObjects(node) || planner.describesArrays(node);
}

/** The nodes of a plan that generated code is made for, and how they hang together. */
export class PlanGraph {
  readonly #planner: Planner;
  readonly #uses = new Map<Node, number>();
  readonly #variants = new Map<Node, Map<number, readonly Node[]>>();
  /** Nodes made by choices, by the parts of the place in which they were made. */
  readonly #made = new Map<string, number>();
  /** Levels of nesting; infinite if the schema is recursive. */
  readonly depth: number;

  constructor(planner: Planner, root: Node) {
    this.#planner = planner;
    this.#uses.set(root, 1);
    this.depth = this.#visit(root);
  }

  /** Whether the node is reached in several places. */
  isShared(node: Node): boolean {
    return (this.#uses.get(node) ?? 0) > 1;
  }

  /** The nodes behind the choice of `node` that are worth code of their own, for objects or arrays. */
  variants(node: Node, type: number): readonly Node[] {
    let known = this.#variants.get(node);
    if (known === undefined) this.#variants.set(node, (known = new Map()));
    let variants = known.get(type);
    if (variants === undefined) {
      variants = this.#make(node, type);
      known.set(type, variants);
    }
    return variants;
  }

  #make(node: Node, type: number): readonly Node[] {
    const planner = this.#planner;
    const candidates = planner.candidates(node, type);
    const { kind } = node.choice!;
    if (kind !== 'if' && kind !== 'dependent') {
      if (candidates.length === 1) return [planner.variant(node, candidates)];
      const discriminator = type === OBJECT ? planner.discriminator(node) : undefined;
      if (discriminator !== undefined) {
        return [...new Set(discriminator.branches.values())].map((branch) => planner.variant(node, [branch]));
      }
    }
    const place = node.roots.map((part) => part.id).join();
    const made = this.#made.get(place) ?? 0;
    const sets = decisions(kind, candidates);
    if (made + sets.length > MAX_VARIANTS) return [];
    const variants = new Set(sets.map((indexes) => planner.variant(node, planner.contributing(node, indexes))));
    this.#made.set(place, made + variants.size);
    return [...variants];
  }

  /** Counts the uses of the nodes below; returns the levels of nesting. */
  #visit(root: Node): number {
    const depths = new Map<Node, number>();
    const open = new Set<Node>();
    const visit = (node: Node): number => {
      const known = depths.get(node);
      if (known !== undefined) return known;
      if (open.has(node)) return Number.POSITIVE_INFINITY;
      open.add(node);
      let inner = 0;
      for (const part of this.#parts(node)) {
        this.#uses.set(part, (this.#uses.get(part) ?? 0) + 1);
        inner = Math.max(inner, visit(part));
      }
      open.delete(node);
      const depth = inner + (node.choice === undefined ? 1 : 0);
      depths.set(node, depth);
      return depth;
    };
    return visit(root);
  }

  #parts(node: Node): Node[] {
    const planner = this.#planner;
    if (!isContainer(planner, node)) return [];
    const { types } = planner.accepted(node);
    const parts: Node[] = [];
    for (const type of [OBJECT, ARRAY]) {
      if ((types & type) === 0) continue;
      if (node.choice !== undefined) parts.push(...this.variants(node, type));
      else if (type === ARRAY) parts.push(...planner.array(node).prefix, planner.array(node).items);
      else {
        const { properties, hasPatterns, extra } = planner.object(node);
        parts.push(...properties.map((property) => property.node));
        const others = hasPatterns ? 'omit' : extra('');
        if (typeof others !== 'string') parts.push(others);
      }
    }
    return parts;
  }
}

/** The sets of branches that may apply. */
function decisions(kind: string, candidates: readonly number[]): readonly (readonly number[])[] {
  switch (kind) {
    case 'if':
      return [[0, 1], [2]];
    case 'dependent':
      return [[0], []];
    case 'any':
      if (candidates.length <= MAX_BRANCHES_OF_SETS) return subsets(candidates);
  }
  return candidates.map((i) => [i]);
}

function subsets(indexes: readonly number[]): number[][] {
  return indexes
    .reduce<number[][]>((sets, i) => [...sets, ...sets.map((set) => [...set, i])], [[]])
    .filter((set) => set.length > 0);
}
