import { types } from 'node:util';
import { runApart } from '../../core/apart.js';
import { ALL_METHODS, type Method } from '../../options/methods.js';
import { PRIORITIES, type PriorityFunction } from '../../options/scheduling.js';
import type { RequestInHand } from '../parser/request-in-hand.js';

const NORMAL = PRIORITIES.indexOf('normal');

/** Determines the priority of requests whose route has none, by the user's function. HTTP thread. */
export class Ranking {
  readonly #priority: PriorityFunction | undefined;
  readonly #onFailure: (error: unknown) => void;
  #failed = false;

  /** @param onFailure called once if the function throws or returns no priority; such requests are `normal` */
  constructor(priority: PriorityFunction | undefined, onFailure: (error: unknown) => void) {
    this.#priority = priority;
    this.#onFailure = onFailure;
  }

  get hasHigh(): boolean {
    return this.#priority !== undefined;
  }

  /** Index in PRIORITIES. */
  rank(request: RequestInHand): number {
    const rankOf = this.#priority;
    if (rankOf === undefined) return NORMAL;
    try {
      const priority = runApart(() => rankOf(ALL_METHODS[request.method] as Method, request.path));
      const rank = PRIORITIES.indexOf(priority);
      if (rank >= 0) return rank;
      // If it is an async function, its rejection would otherwise be unhandled.
      if (types.isPromise(priority)) priority.catch(() => {});
      throw new TypeError(`priority() returned ${String(priority)}; expected one of ${PRIORITIES.join(', ')}`);
    } catch (error) {
      if (!this.#failed) this.#onFailure(error);
      this.#failed = true;
      return NORMAL;
    }
  }
}
