import type { MetricFigures, RouteTimes } from '../metrics/figures.js';
import { Hints, type RoutePlace } from './hints.js';
import { quantileUs } from './quantiles.js';
import type { History as HistoryView, Overview, RouteView, Sample } from './wire.js';

const INTERVAL_MS = 1_000;
const MAX_SAMPLES = 600;
/** How far back the figures of routes go, and how many times within that they are kept. */
const WINDOW_MS = 600_000;
const MARK_MS = 60_000;
/** Routes in an overview. */
const MAX_ROUTES = 100;
const MS_PER_S = 1_000;
const US_PER_MS = 1_000;

/** What a sample is the difference of. */
interface Totals {
  /** By a monotonic clock. */
  atMs: number;
  responses: number;
  /** How often requests took the time of each bucket. */
  buckets: number[];
}

/** The times of all routes at one moment. */
interface Mark {
  atMs: number;
  times: ReadonlyMap<string, RouteTimes>;
}

/** What History needs to know of the server. */
export interface HistorySource {
  /** What metrics are made of. */
  figures(): MetricFigures;
  /** The routes of the app, which a reload may change. */
  readonly routes: readonly RoutePlace[];
}

/**
 * Remembers the last ten minutes: a sample for each second, and the times of routes for each minute. Its size is bounded by the number of
 * routes. Control thread.
 */
export class History {
  readonly #source: HistorySource;
  readonly #now: () => number;
  readonly #samples: Sample[] = [];
  readonly #marks: Mark[] = [];
  #totals: Totals | undefined;
  #figures: MetricFigures | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Called after each sample. */
  onSample: (() => void) | undefined;

  /** @param now milliseconds of a monotonic clock */
  constructor(source: HistorySource, now: () => number = () => performance.now()) {
    this.#source = source;
    this.#now = now;
  }

  start(): void {
    this.sample();
    this.#timer = setInterval(() => this.sample(), INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The figures of the latest sample. */
  get figures(): MetricFigures {
    return (this.#figures ??= this.#source.figures());
  }

  /** Takes a sample of the time since the last one. */
  sample(): void {
    const atMs = this.#now();
    const figures = this.#source.figures();
    const totals = totalsOf(figures, atMs);
    if (this.#totals !== undefined) this.#samples.push(difference(totals, this.#totals));
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    this.#totals = totals;
    this.#figures = figures;
    this.#mark(atMs, figures);
    this.onSample?.();
  }

  #mark(atMs: number, { times }: MetricFigures): void {
    const marks = this.#marks;
    const last = marks.at(-1);
    if (last === undefined || atMs - last.atMs >= MARK_MS) {
      marks.push({ atMs, times: new Map(times.map((one) => [one.route, one])) });
    }
    if (marks.length > 1 && atMs - marks[0].atMs > WINDOW_MS) marks.shift();
  }

  /** All samples, oldest first. */
  view(): HistoryView {
    const column = <Name extends keyof Sample>(name: Name) => this.#samples.map((sample) => sample[name]);
    return { at: column('at'), requestsPerS: column('requestsPerS'), p50Us: column('p50Us'), p99Us: column('p99Us') };
  }

  overview(): Overview {
    const { http, slots } = this.figures;
    const [since] = this.#marks;
    const windowMs = this.#totals!.atMs - since.atMs;
    const hints = new Hints(this.#source.routes);
    const routes = this.figures.times
      .map((times) => routeView(times, since.times.get(times.route), windowMs, hints))
      .filter(({ requests, blockedUs }) => requests > 0 || blockedUs > 0)
      .sort((a, b) => b.blockedUs - a.blockedUs || b.loopMeanUs * b.requests - a.loopMeanUs * a.requests);
    return {
      at: Date.now(),
      sample: this.#samples.at(-1),
      slots: { free: http.freeSlots, total: slots },
      refused: http.refused.reduce((sum, { count }) => sum + count, 0),
      windowMs,
      routes: routes.slice(0, MAX_ROUTES),
      otherRoutes: Math.max(0, routes.length - MAX_ROUTES),
    };
  }
}

function totalsOf({ responses, times }: MetricFigures, atMs: number): Totals {
  const buckets: number[] = [];
  for (const { request } of times) {
    for (const [index, count] of request.buckets.entries()) buckets[index] = (buckets[index] ?? 0) + count;
  }
  return { atMs, responses: responses.reduce((sum, { count }) => sum + count, 0), buckets };
}

function difference(now: Totals, before: Totals): Sample {
  const buckets = minus(now.buckets, before.buckets);
  return {
    at: Date.now(),
    requestsPerS: ((now.responses - before.responses) * MS_PER_S) / Math.max(1, now.atMs - before.atMs),
    p50Us: quantileUs(buckets, 0.5) ?? null,
    p99Us: quantileUs(buckets, 0.99) ?? null,
  };
}

function routeView(now: RouteTimes, before: RouteTimes | undefined, windowMs: number, hints: Hints): RouteView {
  const handler = minus(now.handler.buckets, before?.handler.buckets);
  const loop = minus(now.loop.buckets, before?.loop.buckets);
  const requests = handler.reduce((sum, count) => sum + count, 0);
  const blockedUs = now.blockedUs - (before?.blockedUs ?? 0);
  const loopP99Us = quantileUs(loop, 0.99) ?? 0;
  const { route } = now;
  return {
    route,
    requests,
    requestsPerS: (requests * MS_PER_S) / Math.max(MS_PER_S, windowMs),
    p50Us: quantileUs(handler, 0.5) ?? 0,
    p99Us: quantileUs(handler, 0.99) ?? 0,
    loopMeanUs: requests === 0 ? 0 : (now.loop.sumUs - (before?.loop.sumUs ?? 0)) / requests,
    loopP99Us,
    blockedUs,
    hint: hints.of({ route, blockedUs, windowUs: windowMs * US_PER_MS, loopP99Us }),
  };
}

function minus(counts: readonly number[], before: readonly number[] | undefined): number[] {
  return counts.map((count, index) => count - (before?.[index] ?? 0));
}
