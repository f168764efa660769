import { type Judge, peek } from './judge.js';
import { OBJECT } from './parts.js';
import type { Node, Planner } from './plan.js';
import { isAbsent } from './values.js';

/** Makes the choices of nodes, for both lanes: by type, by discriminator, and otherwise by judging the value. */
export class Selector {
  readonly #planner: Planner;
  readonly #judge: Judge;

  constructor(planner: Planner, judge: Judge) {
    this.#planner = planner;
    this.#judge = judge;
  }

  /**
   * Returns the node after the next choice of `node`, or `undefined` if the value matches no branch.
   * @param type type of the value: OBJECT or ARRAY
   * @throws UNSETTLED; LoopShardError DEPTH_EXCEEDED
   */
  select(node: Node, type: number, value: object): Node | undefined {
    const choice = node.choice!;
    // A value that can match only one branch need not be judged: writing it reveals a mismatch.
    const index = this.#planner.onlyCandidate(node, type) ?? (type === OBJECT ? this.#named(node, value) : undefined);
    if (index !== undefined) return this.#planner.variant(node, [index]);
    const possible = type === OBJECT ? this.#withRequired(node, value) : undefined;
    if (possible?.length === 0) return undefined;
    if (possible?.length === 1) return this.#planner.variant(node, this.#planner.contributing(node, possible));
    const decided = this.#judge.decide(choice, value);
    return decided && this.#planner.variant(node, this.#planner.contributing(node, decided));
  }

  /** Returns the branches whose required properties the object has; `undefined` if the choice does not require a branch to apply. */
  #withRequired(node: Node, value: object): readonly number[] | undefined {
    const { kind, branches } = node.choice!;
    if (kind !== 'any' && kind !== 'one') return undefined;
    return this.#planner
      .candidates(node, OBJECT)
      .filter((i) => this.#planner.required(branches[i]).every((key) => !isAbsent(peek(value, key))));
  }

  #named(node: Node, value: object): number | undefined {
    const discriminator = this.#planner.discriminator(node);
    return discriminator?.branches.get(peek(value, discriminator.property));
  }
}
