import { describe, expect, test } from '@jest/globals';
import { Gradient2 } from '../build/src/shard/loop/limiter.js';
import { get, RawClient } from './support/client.js';
import { expectConserved, startServer, until } from './support/server.js';

const US_PER_MS = 1_000;

/** Runs a limiter over simulated time: as many handlers in flight as the limit allows, each taking `us(limit)`. */
class Simulation {
  limit: number;
  shortMeanUs = 0;
  longMeanUs = 0;
  readonly #limiter: Gradient2;
  #now: number;

  constructor({ initial = 20, min = 4, max = 1_024, startUs = 0 } = {}) {
    this.limit = initial;
    this.#now = startUs;
    this.#limiter = new Gradient2({ initial, min, max }, (limit, shortMeanUs, longMeanUs) => {
      Object.assign(this, { limit, shortMeanUs, longMeanUs });
    });
  }

  run(windows: number, us: (limit: number) => number, inFlight = (limit: number) => limit): void {
    for (let sample = 0; sample < windows * 10; sample++) {
      this.#now += 12 * US_PER_MS;
      this.#limiter.sample(us(this.limit), inFlight(this.limit), this.#now);
    }
  }
}

describe('Gradient2', () => {
  test('grows while handler times do not change, up to the maximum', () => {
    const simulation = new Simulation({ max: 60 });
    simulation.run(20, () => 5_000);
    expect(simulation.limit).toBeGreaterThan(30);
    simulation.run(200, () => 5_000);
    expect(simulation.limit).toBe(60);
  });

  test('shrinks when they take longer, down to the minimum', () => {
    const simulation = new Simulation({ initial: 100, min: 8 });
    simulation.run(20, () => 5_000);
    const before = simulation.limit;
    simulation.run(5, () => 50_000);
    expect(simulation.limit).toBeLessThan(before * 0.75);
    const low = new Simulation({ initial: 12, min: 11 });
    low.run(10, () => 1_000);
    low.run(20, () => 1_000_000);
    expect(low.limit).toBe(11);
  });

  test('settles at the number of handlers beyond which they only wait for each other', () => {
    // Up to 40 handlers take 10 ms. More of them slow each other down.
    const simulation = new Simulation();
    simulation.run(150, (limit) => 10_000 * Math.max(1, limit / 40));
    expect(simulation.limit).toBeGreaterThan(35);
    expect(simulation.limit).toBeLessThan(160);
  });

  test('does not change under low load', () => {
    const simulation = new Simulation({ initial: 50 });
    simulation.run(
      50,
      () => 5_000,
      () => 3,
    );
    expect(simulation.limit).toBe(50);
  });

  test('forgets slow times once they are over', () => {
    const simulation = new Simulation();
    simulation.run(20, () => 100_000);
    simulation.run(100, () => 1_000);
    expect(simulation.longMeanUs).toBeLessThan(3_000);
  });

  test('works on a shard that has run for days', () => {
    const simulation = new Simulation({ max: 60, startUs: 2 ** 38 });
    simulation.run(200, () => 5_000);
    expect(simulation.limit).toBe(60);
  });

  test('ends a window after a pause of 40 minutes', () => {
    let windows = 0;
    const limiter = new Gradient2({ initial: 20, min: 4, max: 60 }, () => windows++);
    const pauseUs = 40 * 60 * 1_000 * US_PER_MS;
    for (let sample = 0; sample < 10; sample++) limiter.sample(5_000, 1, (sample > 0 ? pauseUs : 0) + sample);
    expect(windows).toBe(1);
  });
});

test('adaptive permits of a server stay within their bounds, and the stats show why they change', async () => {
  const permits = { initial: 5, min: 2, max: 12 };
  const running = await startServer({ shards: 1, scheduling: { permits } }, 'scheduling-app.js');
  const shard = () => running.server.stats().shards[0];
  expect(shard().permits.limit).toBe(5);
  expect(shard().limiter).toEqual({ min: 2, max: 12, shortMeanUs: 0, longMeanUs: 0 });
  const client = await RawClient.open(running.port);
  await until(async () => {
    client.write(get('/busy/1').repeat(30));
    for (let i = 0; i < 30; i++) expect((await client.response()).status).toBe(200);
    return shard().limiter!.longMeanUs > 0;
  }, 'the first window');
  expect(shard().limiter!.shortMeanUs).toBeGreaterThan(500);
  expect(shard().permits.limit).toBeGreaterThanOrEqual(2);
  expect(shard().permits.limit).toBeLessThanOrEqual(12);
  expect(() => running.server.setPermits(3)).toThrow(/Cannot set permits: the limiter sets adaptive permits/);
  client.destroy();
  await expectConserved(running);
  await running.server.close();
});
