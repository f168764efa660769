import { MAX_LIMITED_ROUTES } from '../../contract/memory-map.js';
import type { RouteTable } from '../../contract/messages.js';
import { Semaphore } from '../../core/semaphore.js';
import { LoopShardError } from '../../errors.js';
import {
  DEFAULT_GROUP,
  type Dispatch,
  type KeySource,
  PRIORITIES,
  type RouteScheduling,
} from '../../options/scheduling.js';
import type { ShardPool } from '../../pool/shard-pool.js';
import type { RouteTraits } from '../exchange.js';
import { UNKNOWN_BYTES } from '../expected-bytes.js';
import { createPolicy, type DispatchPolicy, hashText } from './policies.js';

const US_PER_MS = 1_000;

/** How the requests of a route are scheduled. HTTP thread. */
export interface RouteRules extends RouteTraits {
  /** Index of its group of shards. */
  readonly group: number;
  readonly policy: DispatchPolicy;
  /** What requests without a key are dispatched by. */
  readonly fallback: DispatchPolicy;
  readonly key: KeySource | undefined;
  /** Of method and pattern. */
  readonly hash: number;
  /** Index in PRIORITIES, or -1 for what the server's `priority` says. */
  readonly rank: number;
  /** In microseconds; 0 for none. */
  readonly queueTimeoutUs: number;
  readonly handlerTimeoutUs: number;
  /** Of `maxConcurrency`, if the route has it. */
  readonly permits: Semaphore | undefined;
  /** Slots of requests that wait for one of its permits, oldest first. */
  readonly waiting: Set<number>;
}

export interface SchedulingDefaults {
  dispatch: Dispatch;
  steal: boolean;
  queueTimeoutMs: number;
  handlerTimeoutMs: number;
}

/** The rules of every route, by its number; and those of requests without one. */
export class Rules {
  readonly notFound: RouteRules;
  readonly #byRoute: readonly RouteRules[];
  /** By the name in messages and stats, such as `GET /report`. */
  readonly limited = new Map<string, RouteRules>();
  readonly #pool: ShardPool;
  readonly #defaults: SchedulingDefaults;
  /** One instance of a policy for all routes of a group that have no other: they take turns together. */
  readonly #standard: readonly DispatchPolicy[];
  readonly #leastLoaded: readonly DispatchPolicy[];

  /** @throws LoopShardError ROUTE_INVALID */
  constructor(table: RouteTable, pool: ShardPool, defaults: SchedulingDefaults) {
    this.#pool = pool;
    this.#defaults = defaults;
    this.#standard = pool.groups.map((group) => createPolicy(defaults.dispatch, group, defaults.steal));
    this.#leastLoaded = pool.groups.map((group) => createPolicy('least-loaded', group, defaults.steal));
    this.notFound = this.#rules('', {});
    this.#byRoute = table.routes.map(({ methods, pattern, scheduling, streamed }) =>
      this.#rules(`${methods[0]} ${pattern}`, scheduling, streamed !== undefined),
    );
  }

  of(route: number): RouteRules {
    return route < 0 ? this.notFound : this.#byRoute[route];
  }

  /** Some requests may come before others: slots are kept for them. */
  get hasHigh(): boolean {
    return this.#byRoute.some(({ rank }) => rank === 0);
  }

  /** Some requests are given up after a time. */
  get hasTimeouts(): boolean {
    return [this.notFound, ...this.#byRoute].some((rules) => rules.queueTimeoutUs > 0 || rules.handlerTimeoutUs > 0);
  }

  #rules(name: string, scheduling: RouteScheduling, isStreamed = false): RouteRules {
    const { group: groupName = DEFAULT_GROUP, dispatch, priority, maxConcurrency } = scheduling;
    const { groups } = this.#pool;
    const group = groups.findIndex((one) => one.name === groupName);
    if (group < 0) throw unknownGroup(name, groupName, groups);
    const used = dispatch ?? this.#defaults.dispatch;
    const rules: RouteRules = {
      group,
      policy:
        dispatch === undefined ? this.#standard[group] : createPolicy(dispatch, groups[group], this.#defaults.steal),
      fallback: this.#leastLoaded[group],
      key: typeof used === 'object' ? used.key : undefined,
      hash: hashText(name),
      rank: priority === undefined ? -1 : PRIORITIES.indexOf(priority),
      queueTimeoutUs: (scheduling.queueTimeoutMs ?? this.#defaults.queueTimeoutMs) * US_PER_MS,
      handlerTimeoutUs: (scheduling.handlerTimeoutMs ?? this.#defaults.handlerTimeoutMs) * US_PER_MS,
      permits: maxConcurrency === undefined ? undefined : this.#permits(name, maxConcurrency),
      isStreamed,
      responseBytes: UNKNOWN_BYTES,
      waiting: new Set(),
    };
    if (maxConcurrency !== undefined) this.limited.set(name, rules);
    return rules;
  }

  #permits(name: string, permits: number): Semaphore {
    if (this.limited.size === MAX_LIMITED_ROUTES) {
      throw new LoopShardError(
        'ROUTE_INVALID',
        `The route ${name} is one too many with maxConcurrency; at most ${MAX_LIMITED_ROUTES} can have it.`,
      );
    }
    return Semaphore.create(this.#pool.core, permits);
  }
}

function unknownGroup(name: string, group: string, groups: readonly { name: string }[]): LoopShardError {
  const known = groups.map((one) => one.name).join(', ');
  return new LoopShardError(
    'ROUTE_INVALID',
    `The route ${name} is of the group ${group}, which there is not; the server's option groups has ${known}.`,
  );
}
