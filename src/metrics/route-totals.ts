import type { RouteEntry } from '../contract/messages.js';
import { routeName } from '../contract/route-permits.js';
import { RouteTimesSum, TIME_KINDS, type TimeCounts, type TimeKind } from '../contract/route-times.js';
import { type CountedResponses, sumRouteCounts, UNMATCHED } from '../http/route-counts.js';
import type { HealthPaths } from '../options/scheduling.js';
import type { RouteTimes } from './figures.js';

/** Where the threads of one revision count. */
export interface RouteSources {
  routes: readonly RouteEntry[];
  health: Required<HealthPaths> | undefined;
  /** By HTTP thread. */
  responses: readonly SharedArrayBuffer[];
  /** By shard. */
  times: readonly SharedArrayBuffer[];
}

/** Responses and times by route, over several revisions: a route that a reload keeps continues its counts. */
export class RouteTotals {
  readonly #responses = new Map<string, CountedResponses>();
  readonly #times = new Map<string, RouteTimes>();

  /** Adds what the threads of a revision have counted so far. */
  add(sources: RouteSources): this {
    for (const one of sumRouteCounts(sources.responses, sources.routes, sources.health)) this.#addResponses(one);
    if (sources.times.length === 0) return this;
    const sum = new RouteTimesSum(sources.times);
    this.#addTimes(UNMATCHED, sum, -1);
    for (const [number, route] of sources.routes.entries()) this.#addTimes(routeName(route), sum, number);
    return this;
  }

  #addResponses({ count, ...labels }: CountedResponses): void {
    const key = Object.values(labels).join('\n');
    const before = this.#responses.get(key)?.count ?? 0;
    this.#responses.set(key, { ...labels, count: before + count });
  }

  #addTimes(route: string, sum: RouteTimesSum, number: number): void {
    const counts = TIME_KINDS.map((kind) => [kind, sum.of(number, kind)] as const);
    // Handlers that have started are counted first.
    if (counts[0][1].buckets.every((count) => count === 0)) return;
    const before = this.#times.get(route);
    const times = counts.map(([kind, counted]) => [
      kind,
      before === undefined ? counted : added(before[kind], counted),
    ]);
    const blockedUs = (before?.blockedUs ?? 0) + sum.blockedUs(number);
    this.#times.set(route, { route, ...(Object.fromEntries(times) as Record<TimeKind, TimeCounts>), blockedUs });
  }

  get responses(): CountedResponses[] {
    return [...this.#responses.values()];
  }

  get times(): RouteTimes[] {
    return [...this.#times.values()];
  }

  /** A copy, to which more can be added. */
  clone(): RouteTotals {
    const copy = new RouteTotals();
    for (const [key, one] of this.#responses) copy.#responses.set(key, one);
    for (const [route, times] of this.#times) copy.#times.set(route, times);
    return copy;
  }
}

function added(a: TimeCounts, b: TimeCounts): TimeCounts {
  return { sumUs: a.sumUs + b.sumUs, buckets: a.buckets.map((count, i) => count + b.buckets[i]) };
}
