import type { Group } from '../options/scheduling.js';

/** How often the load of a group is measured. Time is counted in measurements. */
export const LOOK_MS = 250;
/** The load is the mean of this time, so that one long handler adds no shard. */
const WINDOW_MS = 1_000;
/** A shard is added if the shards of the group were busy to this part. */
const GROW_UTILIZATION = 0.75;
/** A shard is also added if all shards have a queue whose oldest request has waited at least this long, in milliseconds. */
const GROW_WAIT_MS = 50;
/** A shard ends if the others would have been busy to less than this part with the same load. */
const SHRINK_UTILIZATION = 0.5;

/** What was measured in a group since the last time. */
export interface GroupLoad {
  /** How busy each shard was, 0 to 1: the part of the time, or the part of its permits. */
  utilizations: readonly number[];
  /** How long the oldest request of the shortest queue has waited, in milliseconds; 0 if a shard has none. */
  waitMs: number;
}

/** What a decision is based on. */
export interface LoadInWindow {
  /** Sum of the utilizations: how many shards were busy, on average. */
  busy: number;
  /** The shortest of the waits: a queue that was empty at some time is no standing queue. */
  waitMs: number;
}

export interface ScalingDecision extends LoadInWindow {
  change: 'grow' | 'shrink';
}

/**
 * Decides how many shards a group needs. It grows by one when its shards were busy for 75 % of a second, or when all of them have had a queue
 * throughout that second. It shrinks by one when the others would have been busy for less than 50 % throughout `shrinkAfterMs`. Between
 * these, nothing changes: a load that has added a shard must fall by a third before the shard ends.
 */
export class Scaling {
  readonly #least: number;
  readonly #most: number;
  readonly #shrinkLooks: number;
  /** The latest measurements, oldest first. */
  readonly #window: GroupLoad[] = [];
  /** For how many measurements the load has been low. */
  #lowLooks = 0;

  constructor({ least, most, shrinkAfterMs }: Pick<Group, 'least' | 'most' | 'shrinkAfterMs'>) {
    this.#least = least;
    this.#most = most;
    this.#shrinkLooks = Math.ceil(shrinkAfterMs / LOOK_MS);
  }

  /** Forgets all measurements: the shards are others now, or time has passed without measurements. */
  reset(): void {
    this.#window.length = 0;
    this.#lowLooks = 0;
  }

  /**
   * Adds a measurement, `LOOK_MS` after the last one. Returns what is to be done; undefined if nothing is.
   * @param shards of the group, including those that could not be measured
   */
  look(load: GroupLoad, shards: number): ScalingDecision | undefined {
    const measured = load.utilizations.length;
    if (measured !== this.#window[0]?.utilizations.length) this.reset();
    if (measured === 0) return undefined;
    this.#window.push(load);
    if (this.#window.length < WINDOW_MS / LOOK_MS) return undefined;
    const seen = this.#summarize();
    this.#window.shift();
    if (seen.busy >= GROW_UTILIZATION * measured || seen.waitMs >= GROW_WAIT_MS) {
      this.#lowLooks = 0;
      return shards < this.#most ? this.#decide('grow', seen) : undefined;
    }
    this.#lowLooks = seen.busy < SHRINK_UTILIZATION * (measured - 1) ? this.#lowLooks + 1 : 0;
    return shards > this.#least && this.#lowLooks >= this.#shrinkLooks ? this.#decide('shrink', seen) : undefined;
  }

  #summarize(): LoadInWindow {
    const window = this.#window;
    const sum = window.reduce((total, { utilizations }) => total + utilizations.reduce((a, b) => a + b), 0);
    return { busy: sum / window.length, waitMs: Math.min(...window.map(({ waitMs }) => waitMs)) };
  }

  #decide(change: 'grow' | 'shrink', seen: LoadInWindow): ScalingDecision {
    this.reset();
    return { change, ...seen };
  }
}
