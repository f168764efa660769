import { expect, test } from '@jest/globals';
import { Clock, elapsedUs } from '../build/src/core/clock.js';
import { Program, root } from './support/process.js';

const US_PER_MINUTE = 60_000_000;

/** Starts a server whose clock started this many minutes ago, and prints the outcome of requests with deadlines. */
const SCRIPT = `
  import { syncBuiltinESMExports } from 'node:module';
  const minutes = Number(process.argv[1]);
  const real = process.hrtime;
  let calls = 0;
  // The first reading is the clock's epoch.
  const set = (...earlier) => {
    const [seconds, nanoseconds] = real(...earlier);
    return [calls++ === 0 ? seconds - minutes * 60 : seconds, nanoseconds];
  };
  process.hrtime = Object.assign(set, { bigint: real.bigint });
  syncBuiltinESMExports();
  const { serve } = await import('loopshard');
  const server = await serve('test/fixtures/deadlines-app.js', { port: 0, httpThreads: 1, shards: 1 });
  const ask = (path) => fetch('http://127.0.0.1:' + server.address().port + path);
  const statuses = [(await ask('/handler')).status];
  const first = ask('/queue');
  while (server.stats().routes[0].permits.available > 0) await new Promise(setImmediate);
  statuses.push((await ask('/queue')).status, (await ask('/open')).status, (await first).status);
  const { queueTime, handlerTime } = server.stats().shards[0];
  console.log(JSON.stringify({ statuses, queueMs: queueTime.max / 1e3, handlerMs: handlerTime.max / 1e3 }));
  await server.close();`;

// 32-bit microseconds become negative after 35.8 minutes and wrap after 71.6.
test.each([0, 40, 80])('a server that was started %d minutes ago observes deadlines', async (minutes) => {
  const program = new Program(process.execPath, ['--input-type=module', '-e', SCRIPT, String(minutes)], { cwd: root });
  expect(await program.exit()).toBe(0);
  const { statuses, queueMs, handlerMs } = JSON.parse(program.stdout);
  expect(statuses).toEqual([504, 503, 200, 200]);
  expect(handlerMs).toBeLessThan(20_000);
  expect(queueMs).toBeLessThan(20_000);
});

test('a clock does not wrap, and two threads agree on it', () => {
  const hours = 30 * 24;
  const old = new Clock(new Clock().epochMs - hours * 3_600_000);
  const us = old.nowUs();
  expect(Number.isInteger(us)).toBe(true);
  expect(us).toBeGreaterThanOrEqual(hours * 60 * US_PER_MINUTE);
  expect(Math.abs(new Clock(old.epochMs).nowUs() - old.nowUs())).toBeLessThan(1_000_000);
});

test('the low 32 bits of a time are valid for 71 minutes, and for a clock that is slightly behind', () => {
  for (const then of [0, 2 ** 31 - 5, 2 ** 32 - 5, 2 ** 40]) {
    for (const us of [-1_000, 0, 5, 36 * US_PER_MINUTE, 71 * US_PER_MINUTE]) {
      expect(elapsedUs(then + us, then | 0)).toBe(us);
    }
  }
});
