import { describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { Overload } from '../build/src/http/admission/overload.js';
import { PRIORITIES } from '../build/src/options/scheduling.js';
import { field, get, RawClient } from './support/client.js';
import { ONE_HTTP_THREAD, startServer, until } from './support/server.js';
import { outcome, useStage } from './support/stage.js';

const [HIGH, NORMAL, LOW] = PRIORITIES.map((_, rank) => rank);
const US_PER_MS = 1_000;
const LOOK_MS = 2;

describe('Overload, with a target of 50 ms and an interval of 100 ms', () => {
  /** Checks every 2 ms for some time a ring in which the oldest request has waited for `waitMs`. */
  class Simulation {
    readonly overload = new Overload({ targetMs: 50, intervalMs: 100 });
    nowUs: number;

    constructor(nowUs = 0) {
      this.nowUs = nowUs;
    }

    look(ms: number, waitMs: number, left = 4): void {
      for (let passed = 0; passed < ms; passed += LOOK_MS) {
        this.nowUs += LOOK_MS * US_PER_MS;
        this.overload.look(this.nowUs, waitMs * US_PER_MS, left);
      }
    }
  }

  test('sheds only once the wait was above the target for an interval', () => {
    const simulation = new Simulation();
    simulation.look(100, 60);
    expect(simulation.overload.shedding).toBe(false);
    simulation.look(4, 60);
    expect(simulation.overload.shedding).toBe(true);
  });

  test('restarts the interval after a moment below the target', () => {
    const simulation = new Simulation();
    simulation.look(98, 60);
    simulation.look(2, 50);
    simulation.look(98, 60);
    expect(simulation.overload.shedding).toBe(false);
  });

  test('ends once the wait was below half of the target for an interval', () => {
    const simulation = new Simulation();
    simulation.look(110, 60);
    simulation.look(300, 26);
    expect(simulation.overload.shedding).toBe(true);
    simulation.look(100, 20);
    expect(simulation.overload.shedding).toBe(true);
    simulation.look(4, 20);
    expect(simulation.overload.shedding).toBe(false);
  });

  test('while shedding, lets as many requests wait as the shard processes within the target', () => {
    const simulation = new Simulation();
    // The shard processes two requests per millisecond, so a hundred in 50 ms.
    simulation.look(400, 60, 4);
    const { overload } = simulation;
    expect([overload.refuses(NORMAL, 95), overload.refuses(NORMAL, 101)]).toEqual([false, true]);
    expect([overload.refuses(HIGH, 4_000), overload.refuses(LOW, 0)]).toEqual([false, true]);
  });

  test('lets one request wait even if the shard makes no progress', () => {
    const simulation = new Simulation();
    simulation.look(200, 60, 0);
    expect(simulation.overload.refuses(NORMAL, 0)).toBe(false);
    expect(simulation.overload.refuses(NORMAL, 1)).toBe(true);
  });

  test('rejects requests of low priority as soon as the wait is above the target', () => {
    const simulation = new Simulation();
    simulation.look(2, 60);
    const { overload } = simulation;
    expect([overload.refuses(LOW, 0), overload.refuses(NORMAL, 4_000)]).toEqual([true, false]);
    simulation.look(2, 40);
    expect(overload.refuses(LOW, 0)).toBe(false);
  });

  test('while shedding, drops requests that wait longer than the target, except those of high priority', () => {
    const simulation = new Simulation();
    const { overload } = simulation;
    expect(overload.gaveUpOn(NORMAL, 60 * US_PER_MS)).toBe(false);
    simulation.look(110, 60);
    expect(overload.gaveUpOn(NORMAL, 60 * US_PER_MS)).toBe(true);
    expect(overload.gaveUpOn(NORMAL, 40 * US_PER_MS)).toBe(false);
    expect(overload.gaveUpOn(HIGH, 60 * US_PER_MS)).toBe(false);
  });

  test('works on a server that has run for days', () => {
    const simulation = new Simulation(2 ** 38 - 50 * US_PER_MS);
    simulation.look(100, 60);
    expect(simulation.overload.shedding).toBe(false);
    simulation.look(304, 60);
    expect(simulation.overload.shedding).toBe(true);
    expect(simulation.overload.refuses(NORMAL, 95)).toBe(false);
  });

  test('keeps the rate of a shard over 71 minutes without a request', () => {
    const simulation = new Simulation();
    simulation.look(400, 0, 4);
    // For a 32-bit clock, the next check is 10 µs later.
    simulation.nowUs += 2 ** 32 - LOOK_MS * US_PER_MS + 10;
    simulation.look(2, 0, 4);
    simulation.look(104, 60, 4);
    const { overload } = simulation;
    // The one long check counts for a tenth of the rate of two per millisecond.
    expect([overload.shedding, overload.refuses(NORMAL, 89), overload.refuses(NORMAL, 101)]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe('on a server', () => {
  const scene = useStage();

  async function startBlocked(options: ServeOptions) {
    scene.running = await startServer({ shards: 1, ...options }, 'scheduling-app.js');
    const blocking = await scene.stage.send(scene.running, '/hold/block');
    await until(() => scene.stage.started.length === 1, 'the handler that blocks');
    return blocking;
  }

  const shard = () => scene.running.server.stats().shards[0];

  async function queue(path: string, count: number) {
    const pending = [];
    for (let i = 0; i < count; i++) {
      const before = shard().queued;
      pending.push(await scene.stage.send(scene.running, `${path}/${i}`));
      await until(() => shard().queued === before + 1, 'the request to wait');
    }
    return pending;
  }

  test('a full queue rejects requests: low priority from half of maxQueue on, high priority never', async () => {
    const blocking = await startBlocked({ scheduling: { maxQueue: 4, batch: 4 }, ...ONE_HTTP_THREAD });
    const pending = await queue('/low', 2);
    expect(await outcome((await scene.stage.send(scene.running, '/low/x')).response)).toEqual([503, 'QUEUE_FULL']);
    pending.push(...(await queue('/run', 2)));
    const refused = await (await scene.stage.send(scene.running, '/run/x')).response;
    expect(await outcome(refused)).toEqual([503, 'QUEUE_FULL']);
    expect(field(refused, 'retry-after')).toBe('1');
    pending.push(...(await queue('/high', 2)));
    expect(scene.running.server.stats().refused).toEqual({ QUEUE_FULL: 2 });
    scene.stage.release('block');
    for (const { response } of [blocking, ...pending]) expect((await response).status).toBe(200);
    // The queue has room again.
    expect((await (await scene.stage.send(scene.running, '/low/y')).response).status).toBe(200);
  });

  test('a queue of one request accepts one after the other', async () => {
    const blocking = await startBlocked({ scheduling: { maxQueue: 1, batch: 1 }, ...ONE_HTTP_THREAD });
    const [waiting] = await queue('/run', 1);
    expect(await outcome((await scene.stage.send(scene.running, '/run/x')).response)).toEqual([503, 'QUEUE_FULL']);
    scene.stage.release('block');
    for (const { response } of [blocking, waiting]) expect((await response).status).toBe(200);
    for (const path of ['/run/1', '/low/2', '/run/3', '/sticky/run/4']) {
      expect((await (await scene.stage.send(scene.running, path, 'X-Key: 1')).response).status).toBe(200);
    }
  });

  test('requests whose clients have disconnected do not count in the queue, of which low priority may use half', async () => {
    const blocking = await startBlocked({ scheduling: { maxQueue: 8, batch: 8 }, ...ONE_HTTP_THREAD });
    const [oldest] = await queue('/run', 1);
    for (const { leave } of await queue('/run', 7)) leave();
    await until(() => scene.running.server.stats().connections === 2, 'the clients to disconnect');
    expect(shard().queued).toBe(1);
    const pending = await queue('/low', 3);
    expect(await outcome((await scene.stage.send(scene.running, '/low/x')).response)).toEqual([503, 'QUEUE_FULL']);
    pending.push(...(await queue('/run', 4)));
    expect(await outcome((await scene.stage.send(scene.running, '/run/x')).response)).toEqual([503, 'QUEUE_FULL']);
    scene.stage.release('block');
    for (const { response } of [blocking, oldest, ...pending]) expect((await response).status).toBe(200);
  });

  test('sticky requests and others fill the same queue', async () => {
    const blocking = await startBlocked({ scheduling: { maxQueue: 4, batch: 4 } });
    const pending = [];
    for (let i = 0; i < 4; i++) {
      pending.push(await scene.stage.send(scene.running, i % 2 === 0 ? `/run/${i}` : `/sticky/run/${i}`, 'X-Key: 1'));
      await until(() => shard().queued === i + 1, 'the request to wait');
    }
    for (const path of ['/run/x', '/sticky/run/x']) {
      expect(await outcome((await scene.stage.send(scene.running, path, 'X-Key: 1')).response)).toEqual([
        503,
        'QUEUE_FULL',
      ]);
    }
    scene.stage.release('block');
    for (const { response } of [blocking, ...pending]) expect((await response).status).toBe(200);
  });

  test('the last slots are reserved for requests of high priority', async () => {
    const blocking = await startBlocked({ memory: { slots: 32 }, ...ONE_HTTP_THREAD });
    const pending = await queue('/run', 29);
    expect(await outcome((await scene.stage.send(scene.running, '/run/x')).response)).toEqual([503, 'NO_SLOT']);
    pending.push(...(await queue('/high', 2)));
    expect(await outcome((await scene.stage.send(scene.running, '/high/x')).response)).toEqual([503, 'NO_SLOT']);
    scene.stage.release('block');
    for (const { response } of [blocking, ...pending]) expect((await response).status).toBe(200);
  });

  test("the server's priority function applies to routes without a priority, and may fail", async () => {
    const seen: string[] = [];
    const priority = (method: string, path: string) => {
      seen.push(`${method} ${path}`);
      if (path.endsWith('fails')) throw new Error('on purpose');
      return path.endsWith('vip') ? 'high' : 'low';
    };
    const blocking = await startBlocked({ scheduling: { maxQueue: 1, batch: 1, priority } });
    const [waiting] = await queue('/low', 1);
    const vip = await scene.stage.send(scene.running, '/run/vip');
    await until(() => shard().queued === 2, 'the request of high priority');
    expect(await outcome((await scene.stage.send(scene.running, '/run/x')).response)).toEqual([503, 'QUEUE_FULL']);
    for (let i = 0; i < 2; i++) {
      expect(await outcome((await scene.stage.send(scene.running, '/run/fails')).response)).toEqual([
        503,
        'QUEUE_FULL',
      ]);
    }
    scene.stage.release('block');
    for (const { response } of [blocking, waiting, vip]) expect((await response).status).toBe(200);
    expect(seen).toEqual(['GET /hold/block', 'GET /run/vip', 'GET /run/x', 'GET /run/fails', 'GET /run/fails']);
    const failures = scene.running.logged.filter(({ message }) => /the option `priority` failed/.test(message));
    expect(failures).toHaveLength(1);
  });

  test.each([503, 429] as const)(
    'requests that wait for too long are dropped with %d and Retry-After',
    async (status) => {
      const shed = { targetMs: 30, intervalMs: 60, status, retryAfterSeconds: 7 };
      const blocking = await startBlocked({ scheduling: { shed } });
      const events: boolean[] = [];
      scene.running.server.on('shedding', ({ shedding }) => void events.push(shedding));
      const waiting = await Promise.all(
        Array.from({ length: 5 }, (_, i) => scene.stage.send(scene.running, `/run/${i}`)),
      );
      const high = await scene.stage.send(scene.running, '/high/h');
      for (const { response } of waiting) {
        expect(await outcome(await response)).toEqual([status, 'OVERLOADED']);
        expect(field(await response, 'retry-after')).toBe('7');
      }
      expect(shard().shedding).toBe(true);
      expect(await outcome((await scene.stage.send(scene.running, '/run/x')).response)).toEqual([status, 'OVERLOADED']);
      expect(await outcome((await scene.stage.send(scene.running, '/low/x')).response)).toEqual([status, 'OVERLOADED']);
      expect(scene.running.server.stats().refused).toEqual({ OVERLOADED: 7 });
      scene.stage.release('block');
      for (const { response } of [blocking, high]) expect((await response).status).toBe(200);
      // While the server sheds, an empty ring has room for one request.
      expect(shard().shedding).toBe(true);
      expect((await (await scene.stage.send(scene.running, '/run/y')).response).status).toBe(200);
      await until(() => !shard().shedding, 'the end of the shedding');
      expect(events).toEqual([true, false]);
      expect(scene.stage.started).toEqual(['block', 'h', 'y']);
    },
  );

  test('under triple overload, a shard keeps working, and accepted requests wait about as long as the target', async () => {
    scene.running = await startServer(
      { shards: 1, scheduling: { shed: { targetMs: 50, intervalMs: 100 } } },
      'scheduling-app.js',
    );
    const clients = await Promise.all(Array.from({ length: 60 }, () => RawClient.open(scene.running.port)));
    const end = performance.now() + 2_500;
    const settled = performance.now() + 700;
    const waits: number[] = [];
    let refused = 0;
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() < end) {
          const begin = performance.now();
          client.write(get('/busy/2'));
          const { status } = await client.response();
          if (status === 503) {
            refused++;
            await new Promise((resolve) => setTimeout(resolve, 20));
          } else if (begin > settled) waits.push(performance.now() - begin);
        }
        client.destroy();
      }),
    );
    waits.sort((a, b) => a - b);
    expect(refused).toBeGreaterThan(100);
    // A shard with its own core would process about 850.
    expect(waits.length).toBeGreaterThan(200);
    // However slow the machine is: if nothing was rejected, each request would wait for those of all other clients.
    const unshedMs = (clients.length * (end - settled)) / waits.length;
    expect(waits[Math.floor(waits.length * 0.9)]).toBeLessThan(unshedMs * 0.9);
  });
});
