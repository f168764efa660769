import { describe, expect, test } from '@jest/globals';
import { Hints, type RoutePlace } from '../build/src/admin/hints.js';
import { History } from '../build/src/admin/history.js';
import { quantileUs } from '../build/src/admin/quantiles.js';
import { TIME_BOUNDS_US } from '../build/src/contract/route-times.js';
import { createRandom } from './support/random.js';

/* What the admin listener remembers of the last ten minutes. */

const MINUTE_MS = 60_000;

/** The figures of a server that a test makes up. */
class Source {
  atMs = 0;
  readonly #routes = new Map<string, { responses: number; buckets: number[]; sumUs: number; blockedUs: number }>();
  routes: RoutePlace[] = [];

  /** Adds requests to a route; each takes `us` microseconds, on the loop too. */
  add(route: string, count: number, us: number, blockedUs = 0): void {
    const empty = { responses: 0, buckets: new Array(TIME_BOUNDS_US.length + 1).fill(0), sumUs: 0, blockedUs: 0 };
    const totals = this.#routes.get(route) ?? empty;
    this.#routes.set(route, totals);
    const bucket = TIME_BOUNDS_US.findIndex((bound) => us <= bound);
    totals.buckets[bucket < 0 ? TIME_BOUNDS_US.length : bucket] += count;
    totals.responses += count;
    totals.sumUs += count * us;
    totals.blockedUs += blockedUs;
  }

  figures() {
    const all = [...this.#routes];
    return {
      http: { freeSlots: 90, refused: [{ reason: 'NO_SLOT', count: 3 }] },
      slots: 100,
      responses: all.map(([route, { responses }]) => ({ route, method: 'GET', status: '200', count: responses })),
      times: all.map(([route, { buckets, sumUs, blockedUs }]) => {
        const counts = { buckets: [...buckets], sumUs };
        return { route, queue: counts, handler: counts, loop: counts, request: counts, blockedUs };
      }),
    } as never;
  }
}

function begin() {
  const source = new Source();
  const history = new History(source, () => source.atMs);
  history.sample();
  const tick = (ms = 1_000) => {
    source.atMs += ms;
    history.sample();
  };
  return { source, history, tick };
}

test('a sample is the rate and the times since the last one, however late it is', () => {
  const { source, history, tick } = begin();
  source.add('GET /a', 300, 80);
  tick();
  source.add('GET /a', 99, 80);
  source.add('GET /b', 101, 2_000);
  tick(2_000);
  tick();
  const { requestsPerS, p50Us, p99Us } = history.view();
  expect(requestsPerS).toEqual([300, 100, 0]);
  // Spread evenly over the bucket from 0 to 100, and from 1,000 to 2,500.
  expect(p50Us[0]).toBeCloseTo(50);
  expect(p99Us[0]).toBeCloseTo(99);
  expect(p50Us[1]).toBeGreaterThan(1_000);
  expect(p99Us[1]).toBeGreaterThan(2_400);
  expect([p50Us[2], p99Us[2]]).toEqual([null, null]);
});

test('it keeps ten minutes, of samples and of routes', () => {
  const { source, history, tick } = begin();
  source.add('GET /old', 1_000, 500, 7_000_000);
  for (let second = 0; second < 700; second++) {
    source.add('GET /new', 1, 500, 1_000);
    tick();
  }
  const { at, requestsPerS } = history.view();
  expect([at.length, requestsPerS.length]).toEqual([600, 600]);
  const { routes, windowMs } = history.overview();
  expect(windowMs).toBeGreaterThan(9 * MINUTE_MS - 1);
  expect(windowMs).toBeLessThan(10 * MINUTE_MS + 1);
  expect(routes).toEqual([
    expect.objectContaining({ route: 'GET /new', requests: windowMs / 1_000, blockedUs: windowMs }),
  ]);
});

test('routes are sorted by how long others have waited for them, then by their time on the loop', () => {
  const { source, history, tick } = begin();
  source.routes = ['GET /a', 'GET /b', 'GET /c', 'GET /d'].map((route) => ({
    route,
    group: 'default',
    maxConcurrency: undefined,
  }));
  source.add('GET /a', 10, 100);
  source.add('GET /b', 1, 30_000, 2_000_000);
  source.add('GET /c', 1_000, 200, 500);
  source.add('GET /d', 1_000, 400);
  tick();
  const { routes, slots, refused } = history.overview();
  expect(routes.map(({ route }) => route)).toEqual(['GET /b', 'GET /c', 'GET /d', 'GET /a']);
  expect(routes.map(({ hint }) => hint !== undefined)).toEqual([true, false, false, false]);
  expect(routes[0]).toMatchObject({ requests: 1, requestsPerS: 1, loopMeanUs: 30_000 });
  expect([slots, refused]).toEqual([{ free: 90, total: 100 }, 3]);
});

test('an overview has 100 routes at most, and says how many others there are', () => {
  const { source, history, tick } = begin();
  for (let i = 0; i < 130; i++) source.add(`GET /${i}`, 1, 100, i);
  tick();
  const { routes, otherRoutes } = history.overview();
  expect([routes.length, otherRoutes, routes[0].route]).toEqual([100, 30, 'GET /129']);
});

test('quantiles are within the bucket of the exact value', () => {
  const random = createRandom();
  for (let round = 0; round < 50; round++) {
    const times = Array.from({ length: 1 + Math.floor(random() * 400) }, () => 10 ** (1 + random() * 6));
    const buckets = new Array(TIME_BOUNDS_US.length + 1).fill(0);
    const bucketOf = (us: number) => TIME_BOUNDS_US.findIndex((bound) => us <= bound);
    for (const us of times) buckets[bucketOf(us)]++;
    const sorted = [...times].sort((a, b) => a - b);
    for (const q of [0, 0.5, 0.9, 0.99, 1]) {
      const exact = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
      const bucket = bucketOf(exact);
      const estimate = quantileUs(buckets, q)!;
      expect(estimate).toBeGreaterThanOrEqual(TIME_BOUNDS_US[bucket - 1] ?? 0);
      expect(estimate).toBeLessThanOrEqual(TIME_BOUNDS_US[bucket]);
    }
  }
  expect(quantileUs([0, 0, 0], 0.5)).toBeUndefined();
  // Times above the last bound.
  const above = new Array(TIME_BOUNDS_US.length + 1).fill(0);
  above[TIME_BOUNDS_US.length] = 5;
  expect(quantileUs(above, 0.99)).toBe(TIME_BOUNDS_US.at(-1));
});

describe('hints', () => {
  const hints = new Hints([
    { route: 'GET /report', group: 'default', maxConcurrency: undefined },
    { route: 'GET /limited', group: 'default', maxConcurrency: 2 },
    { route: 'GET /alone', group: 'cpu', maxConcurrency: undefined },
  ]);
  const of = (route: string, loopP99Us: number, blockedUs = 1_000_000) =>
    hints.of({ route, loopP99Us, blockedUs, windowUs: 60_000_000 });

  test.each([
    ['a route that blocks for long', 'GET /report', 200_000, /`group` of its own, or limit it with `maxConcurrency`/],
    ['a route that is limited already', 'GET /limited', 200_000, /`group` of its own: `maxConcurrency` only/],
    ['a route with a group of its own', 'GET /alone', 200_000, /add shards to group `cpu`/],
    ['a route that blocks for short times', 'GET /report', 3_000, /Stream its response/],
    ['requests without a route', 'unmatched', 200_000, /Stream its response/],
  ])('for %s', (_name, route, loopP99Us, text) => {
    expect(of(route, loopP99Us)).toMatch(text);
  });

  test('there is none if others wait for less than a thousandth of the time', () => {
    expect(of('GET /report', 200_000, 59_000)).toBeUndefined();
    expect(of('GET /report', 200_000, 61_000)).toMatch(/group/);
  });
});
