import { type PublishedSums, sumHttpFigures } from '../contract/http-figures.js';
import type { RouteEntry } from '../contract/messages.js';
import { routeName } from '../contract/route-permits.js';
import { sumHttpCounts } from '../http/http-counts.js';
import { UNMATCHED } from '../http/route-counts.js';
import type { MetricFigures, ShardFigures } from '../metrics/figures.js';
import { RouteTotals } from '../metrics/route-totals.js';
import type { HttpThreads } from './http-threads.js';
import type { Revision } from './revision.js';

/**
 * Collects what metrics show, without asking another thread: it is read from shared memory, and from what the control thread knows. Control
 * thread.
 */
export class MetricSources {
  readonly #http: HttpThreads;
  /** Of revisions whose shards have ended. */
  readonly #past = new RouteTotals();
  readonly #reloads = { succeeded: 0, failed: 0 };

  constructor(http: HttpThreads) {
    this.#http = http;
  }

  reloaded(): void {
    this.#reloads.succeeded++;
  }

  reloadFailed(): void {
    this.#reloads.failed++;
  }

  /** Keeps the counts of a revision whose shards have ended. */
  keep(revision: Revision): void {
    this.#past.add(revision.routeSources);
  }

  /** @param others revisions that are starting, or are finishing their requests */
  figures(isReady: boolean, current: Revision, others: Iterable<Revision>): MetricFigures {
    const { core, map, pool, limited } = current;
    const published = sumHttpFigures(core, map, limited.size);
    const totals = [...others, current].reduce((sum, one) => sum.add(one.routeSources), this.#past.clone());
    return {
      isReady,
      reloads: { ...this.#reloads },
      retiring: [...others].filter(({ number }) => number < current.number).length,
      connections: published.connections,
      http: sumHttpCounts(this.#http.counts()),
      slots: map.slots,
      extents: pool.extents(),
      shards: shardFigures(current, published),
      groups: pool.groupFigures(),
      responses: totals.responses,
      times: totals.times,
      limited: [...limited].map(([route, { available, limit }], index) => ({
        route,
        available,
        limit,
        waiting: published.waiting[index],
      })),
    };
  }
}

/** The figures of the shards of a revision that run. */
export function shardFigures({ pool, shedding, routes }: Revision, published: PublishedSums): ShardFigures[] {
  const threads = pool.threadFigures();
  return pool.figures().map((one) => {
    const { running, ...thread } = threads[one.shard];
    return {
      ...one,
      ...thread,
      running: running && { route: nameOfRoute(routes, running.route), us: running.us },
      shedding: shedding.has(one.shard),
      outstanding: published.outstanding[one.shard],
      queued: published.queued[one.shard],
      waitUs: published.waitsUs[one.shard],
    };
  });
}

/** @param route its number, or -1 for requests without a route */
export function nameOfRoute(routes: readonly RouteEntry[], route: number): string {
  return route < 0 ? UNMATCHED : routeName(routes[route]);
}
