import { routePermitsAddress } from '../../contract/memory-map.js';
import type { RouteEntry, RouteTable } from '../../contract/messages.js';
import { limitedRoutes, routeName } from '../../contract/route-permits.js';
import { Semaphore } from '../../core/semaphore.js';
import { LoopShardError } from '../../errors.js';
import {
  DEFAULT_GROUP,
  type Dispatch,
  type KeySource,
  PRIORITIES,
  type RouteScheduling,
} from '../../options/scheduling.js';
import type { RouteTraits } from '../exchange.js';
import { UNKNOWN_BYTES } from '../expected-bytes.js';
import type { Shards } from '../shards.js';
import { createPolicy, createUpgradePolicy, type DispatchPolicy, hashText } from './policies.js';

const US_PER_MS = 1_000;

export interface RoutePolicies {
  readonly policy: DispatchPolicy;
  /** Policy for requests without a key. */
  readonly fallback: DispatchPolicy;
}

/** How the requests of a route are scheduled. HTTP thread. */
export interface RouteRules extends RouteTraits, RoutePolicies {
  /** Index of its group of shards. */
  readonly group: number;
  /** For requests that offer another protocol. */
  readonly ofUpgrades: RoutePolicies;
  readonly key: KeySource | undefined;
  /** Of method and pattern. */
  readonly hash: number;
  /** Index in PRIORITIES, or -1 to use the server's `priority`. */
  readonly rank: number;
  /** In microseconds; 0 for none. */
  readonly queueTimeoutUs: number;
  readonly handlerTimeoutUs: number;
  /** Of `maxConcurrency`, if the route has it; shared by all HTTP threads. */
  readonly permits: Semaphore | undefined;
  /** The index of the route among limited routes, or -1. */
  readonly limitIndex: number;
  /** Slots of this thread's requests that wait for one of its permits, oldest first. */
  readonly waiting: Set<number>;
}

export interface SchedulingDefaults {
  dispatch: Dispatch;
  steal: boolean;
  queueTimeoutMs: number;
  handlerTimeoutMs: number;
}

/** The rules of every route, by its number, and those of requests without a route. */
export class Rules {
  readonly notFound: RouteRules;
  readonly #byRoute: readonly RouteRules[];
  /** By the name in messages and stats, such as `GET /report`. */
  readonly limited = new Map<string, RouteRules>();
  readonly #shards: Shards;
  readonly #defaults: SchedulingDefaults;
  /** One policy for all routes of a group without their own, so that they take turns together. */
  readonly #standard: readonly DispatchPolicy[];
  readonly #leastLoaded: readonly DispatchPolicy[];
  readonly #fewestConnections: readonly DispatchPolicy[];

  /** @throws LoopShardError ROUTE_INVALID */
  constructor(table: RouteTable, shards: Shards, defaults: SchedulingDefaults) {
    this.#shards = shards;
    this.#defaults = defaults;
    this.#standard = shards.groups.map((group) => createPolicy(defaults.dispatch, group, defaults.steal));
    this.#leastLoaded = shards.groups.map((group) => createPolicy('least-loaded', group, defaults.steal));
    this.#fewestConnections = shards.groups.map((group) => createUpgradePolicy('least-loaded', group, defaults.steal));
    this.notFound = this.#rules('', {});
    const limited = limitedRoutes(table);
    this.#byRoute = table.routes.map((route) =>
      this.#rules(routeName(route), route.scheduling, route, limited.indexOf(route)),
    );
  }

  of(route: number): RouteRules {
    return route < 0 ? this.notFound : this.#byRoute[route];
  }

  /** By group: whether its shards share all its requests evenly, because none is meant for one of them, and they steal. */
  get areEven(): boolean[] {
    const all = [this.notFound, ...this.#byRoute];
    return this.#shards.groups.map(
      (_, group) => this.#defaults.steal && all.every((rules) => rules.group !== group || rules.policy.anyWillDo),
    );
  }

  /** Whether requests can have high priority: slots are reserved for them. */
  get hasHigh(): boolean {
    return this.#byRoute.some(({ rank }) => rank === 0);
  }

  /** Whether any request has a timeout. */
  get hasTimeouts(): boolean {
    return [this.notFound, ...this.#byRoute].some((rules) => rules.queueTimeoutUs > 0 || rules.handlerTimeoutUs > 0);
  }

  #rules(
    name: string,
    scheduling: RouteScheduling,
    { isStreamed, isAuto, isRaw, upgrades }: Partial<RouteEntry> = {},
    limitIndex = -1,
  ): RouteRules {
    const { group: groupName = DEFAULT_GROUP, dispatch, priority } = scheduling;
    const { core, map, groups } = this.#shards;
    const group = groups.findIndex((one) => one.name === groupName);
    if (group < 0) throw unknownGroup(name, groupName, groups);
    const used = dispatch ?? this.#defaults.dispatch;
    const { steal } = this.#defaults;
    const rules: RouteRules = {
      group,
      policy: dispatch === undefined ? this.#standard[group] : createPolicy(dispatch, groups[group], steal),
      fallback: this.#leastLoaded[group],
      ofUpgrades: { policy: createUpgradePolicy(used, groups[group], steal), fallback: this.#fewestConnections[group] },
      key: typeof used === 'object' ? used.key : undefined,
      hash: hashText(name),
      rank: priority === undefined ? -1 : PRIORITIES.indexOf(priority),
      queueTimeoutUs: (scheduling.queueTimeoutMs ?? this.#defaults.queueTimeoutMs) * US_PER_MS,
      handlerTimeoutUs: (scheduling.handlerTimeoutMs ?? this.#defaults.handlerTimeoutMs) * US_PER_MS,
      permits: limitIndex < 0 ? undefined : Semaphore.attach(core, routePermitsAddress(map, limitIndex)),
      limitIndex,
      isStreamed: isStreamed === true || isAuto === true,
      abortsOnHalfClose: isRaw === true && upgrades === undefined,
      takesUpgrades: isRaw === true,
      responseBytes: UNKNOWN_BYTES,
      waiting: new Set(),
    };
    if (limitIndex >= 0) this.limited.set(name, rules);
    return rules;
  }
}

function unknownGroup(name: string, group: string, groups: readonly { name: string }[]): LoopShardError {
  const known = groups.map((one) => one.name).join(', ');
  return new LoopShardError(
    'ROUTE_INVALID',
    `Route \`${name}\` names the group \`${group}\`, which does not exist. Groups of this server: ${known}.`,
  );
}
