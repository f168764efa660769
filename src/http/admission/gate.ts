import type { Shedding } from '../../options/scheduling.js';
import { PRIORITIES } from '../../options/scheduling.js';
import type { Reason } from '../answers.js';
import type { Shards } from '../shards.js';
import { Overload } from './overload.js';
import type { Queues } from './queues.js';
import type { RouteRules } from './route-rules.js';

const HIGH = PRIORITIES.indexOf('high');
const NORMAL = PRIORITIES.indexOf('normal');
/** Slots of a group that only requests of high priority get, where there are any: one in so many. */
const RESERVED_PART = 16;

export interface GateOptions {
  maxQueue: number;
  shed: Required<Shedding> | undefined;
  /** There may be requests of high priority. */
  hasHigh: boolean;
}

/** Who is let in. HTTP thread. */
export class Gate {
  /** Of each shard, if requests are shed by age. */
  readonly overloads: readonly Overload[];
  readonly #shards: Shards;
  readonly #queues: Queues;
  readonly #maxQueue: number;
  readonly #reserved: readonly number[];

  constructor(shards: Shards, queues: Queues, { maxQueue, shed, hasHigh }: GateOptions) {
    this.#shards = shards;
    this.#queues = queues;
    this.#maxQueue = maxQueue;
    this.overloads = shed === undefined ? [] : Array.from({ length: shards.map.shards }, () => new Overload(shed));
    this.#reserved = shards.slots.map(({ total }) => (hasHigh ? Math.ceil(total / RESERVED_PART) : 0));
  }

  /** Why a request of this rank may not wait for `shard`, or nothing if it may. */
  refusal(rules: RouteRules, rank: number, shard: number): Reason | undefined {
    if (rank === HIGH) return undefined;
    // Half of a queue is for those who are not low.
    const room = rank > NORMAL ? (this.#maxQueue + 1) >> 1 : this.#maxQueue;
    if (this.#queues.seen(shard) >= room && this.#queues.look(shard) >= room) return 'QUEUE_FULL';
    // A route that is limited must not take the slots of all others.
    const waiting = rules.waiting.size;
    if (waiting > 0 && waiting >= Math.min(room, this.#shards.slots[rules.group].total >> 1)) return 'QUEUE_FULL';
    const overload = this.overloads[shard];
    // The rate that it goes by is that of this thread's requests.
    if (overload === undefined || !overload.refuses(rank, this.#queues.own(shard))) return undefined;
    return overload.refuses(rank, this.#queues.lookAtOwn(shard)) ? 'OVERLOADED' : undefined;
  }

  /** A slot for a request of this rank, or -1. */
  takeSlot(group: number, rank: number): number {
    return this.#shards.slots[group].take(rank === HIGH ? 0 : this.#reserved[group]);
  }
}
