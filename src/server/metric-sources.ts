import { sumHttpFigures } from '../contract/http-figures.js';
import { routeName } from '../contract/route-permits.js';
import { sumHttpCounts } from '../http/http-counts.js';
import { UNMATCHED } from '../http/route-counts.js';
import type { MetricFigures } from '../metrics/figures.js';
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
    const { core, map, pool, limited, shedding, routes } = current;
    const nameOf = (route: number) => (route < 0 ? UNMATCHED : routeName(routes[route]));
    const published = sumHttpFigures(core, map, limited.size);
    const totals = [...others, current].reduce((sum, one) => sum.add(one.routeSources), this.#past.clone());
    const threads = pool.threadFigures();
    return {
      isReady,
      reloads: { ...this.#reloads },
      retiring: [...others].filter(({ number }) => number < current.number).length,
      connections: published.connections,
      http: sumHttpCounts(this.#http.counts()),
      slots: map.slots,
      extents: pool.extents(),
      shards: pool.figures().map((one) => ({
        ...one,
        ...threads[one.shard],
        running: withName(threads[one.shard].running, nameOf),
        shedding: shedding.has(one.shard),
        outstanding: published.outstanding[one.shard],
        queued: published.queued[one.shard],
        waitUs: published.waitsUs[one.shard],
      })),
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

function withName(running: { route: number; us: number } | undefined, nameOf: (route: number) => string) {
  return running && { route: nameOf(running.route), us: running.us };
}
