import type { Shedding } from '../../options/scheduling.js';
import { PRIORITIES } from '../../options/scheduling.js';
import type { Reason } from '../answers.js';
import type { Shards } from '../shards.js';
import { Overload } from './overload.js';
import type { Queues } from './queues.js';
import type { RouteRules } from './route-rules.js';

const HIGH = PRIORITIES.indexOf('high');
const NORMAL = PRIORITIES.indexOf('normal');
/** One slot in this many is reserved for requests of high priority, in groups that have any. */
const RESERVED_PART = 16;

export interface GateOptions {
  maxQueue: number;
  shed: Required<Shedding> | undefined;
  /** Whether requests can have high priority. */
  hasHigh: boolean;
}

/** Admits or rejects requests. HTTP thread. */
export class Gate {
  /** By shard, if requests are shed by age; otherwise empty. */
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

  /** Why a request of this rank must not be queued for `shard`; undefined if it may. */
  refusal(rules: RouteRules, rank: number, shard: number): Reason | undefined {
    if (rank === HIGH) return undefined;
    // Requests of low priority may use half of a queue.
    const room = rank > NORMAL ? (this.#maxQueue + 1) >> 1 : this.#maxQueue;
    if (this.#queues.seen(shard) >= room && this.#queues.look(shard) >= room) return 'QUEUE_FULL';
    // A limited route must not take the slots of all others.
    const waiting = rules.waiting.size;
    if (waiting > 0 && waiting >= Math.min(room, this.#shards.slots[rules.group].total >> 1)) return 'QUEUE_FULL';
    const overload = this.overloads[shard];
    // Its rate is that of this thread's requests.
    if (overload === undefined || !overload.refuses(rank, this.#queues.own(shard))) return undefined;
    return overload.refuses(rank, this.#queues.lookAtOwn(shard)) ? 'OVERLOADED' : undefined;
  }

  /** Takes a slot for a request of this rank, or returns -1. */
  takeSlot(group: number, rank: number): number {
    return this.#shards.slots[group].take(rank === HIGH ? 0 : this.#reserved[group]);
  }
}
