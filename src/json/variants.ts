import { OBJECT } from './parts.js';
import type { Node, Planner } from './plan.js';

/** A choice where several branches may apply gets code for each set of branches only if it has at most this many. */
const MAX_BRANCHES_OF_SETS = 3;
/** Maximum number of variants of one place. Further ones are left to the plain lane. */
const MAX_VARIANTS = 256;

/** The nodes after choices for which code is generated. */
export class Variants {
  readonly #planner: Planner;
  readonly #known = new Map<Node, Map<number, readonly Node[]>>();
  /** Number of variants, by the parts of the place where the choice is made. */
  readonly #counts = new Map<string, number>();

  constructor(planner: Planner) {
    this.#planner = planner;
  }

  /** @param type type of the value: OBJECT or ARRAY */
  of(node: Node, type: number): readonly Node[] {
    let known = this.#known.get(node);
    if (known === undefined) this.#known.set(node, (known = new Map()));
    let variants = known.get(type);
    if (variants === undefined) known.set(type, (variants = this.#make(node, type)));
    return variants;
  }

  #make(node: Node, type: number): readonly Node[] {
    const planner = this.#planner;
    const only = planner.onlyCandidate(node, type);
    if (only !== undefined) return [planner.variant(node, [only])];
    const discriminator = type === OBJECT ? planner.discriminator(node) : undefined;
    if (discriminator !== undefined) {
      return [...new Set(discriminator.branches.values())].map((branch) => planner.variant(node, [branch]));
    }
    const place = node.roots.map((part) => part.id).join();
    const count = this.#counts.get(place) ?? 0;
    const sets = decisions(node.choice!.kind, planner.candidates(node, type));
    if (count + sets.length > MAX_VARIANTS) return [];
    const variants = new Set(sets.map((indexes) => planner.variant(node, planner.contributing(node, indexes))));
    this.#counts.set(place, count + variants.size);
    return [...variants];
  }
}

/** Returns the sets of branches that may apply. */
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

/** Returns all subsets except the empty one. */
function subsets(indexes: readonly number[]): number[][] {
  return Array.from({ length: 2 ** indexes.length - 1 }, (_, set) => indexes.filter((_, i) => ((set + 1) >> i) & 1));
}
