/*
 * Reloads a server under full load: pipelined requests with nonces, of several sizes, to routes whose numbers, schemas and options change
 * with each version of the app, and some of which only every other version has. Now and then a version does not load. The clients check
 * every byte of every response, that it is of a version that has the route, and that none is older than one before.
 *
 *   npm run test:stress -- -t reloads
 *
 * - RELOADS               successful reloads (50), after a warm-up with a fifth as many
 * - RELOADS_REQUESTS      requests (1,000,000), after a warm-up with a fifth as many
 * - RELOADS_HTTP_THREADS  HTTP threads (1, and then 2)
 * - SEED                  of all random choices; it does not determine the order in which threads run
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { notBack, sumOf } from '../support/conservation.js';
import { type Phase, ReloadRun } from '../support/reloads.js';

const RELOADS = Number(process.env.RELOADS ?? 50);
const REQUESTS = Number(process.env.RELOADS_REQUESTS ?? 1_000_000);
const HTTP_THREADS = process.env.RELOADS_HTTP_THREADS?.split(',').map(Number) ?? [1, 2];
const WARM = 1 / 5;
/** Phases between which everything is measured at rest. */
const QUARTERS = 4;
/** By which resident memory may grow in the second half, in bytes. */
const RSS_BYTES = 64 * 2 ** 20;
const TIMEOUT_MS = 120_000 + REQUESTS + RELOADS * 10_000;

let run: ReloadRun | undefined;

afterEach(() => {
  run?.destroy();
  run = undefined;
});

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const sum = (phases: Phase[], of: (phase: Phase) => number) => phases.reduce((total, phase) => total + of(phase), 0);

describe('reloads', () => {
  test.each(HTTP_THREADS)(
    `${RELOADS} reloads during ${REQUESTS} requests fail and mix up none, and leave nothing behind (HTTP threads: %i)`,
    async (httpThreads) => {
      run = new ReloadRun(httpThreads);
      await run.start();
      const { memories } = await run.atRest();
      const warm = await run.load(Math.round(REQUESTS * WARM), Math.round(RELOADS * WARM));
      const rests = [await run.atRest()];
      const phases: Phase[] = [];
      for (let quarter = 0; quarter < QUARTERS; quarter++) {
        const reloads = Math.round((RELOADS * (quarter + 1)) / QUARTERS) - Math.round((RELOADS * quarter) / QUARTERS);
        phases.push(await run.load(REQUESTS / QUARTERS, reloads));
        rests.push(await run.atRest());
      }
      const [before, after] = [rests[0], rests[QUARTERS]];
      const reloadsMs = phases.flatMap((phase) => phase.reloadsMs);
      const summary = {
        requests: sum(phases, ({ count }) => count),
        seconds: Math.round(sum(phases, ({ seconds }) => seconds)),
        reloads: reloadsMs.length,
        failedLoads: sum(phases, ({ failed }) => failed),
        reloadMs: { median: Math.round(median(reloadsMs)), most: Math.round(Math.max(...reloadsMs)) },
        longestMs: Math.round(Math.max(...phases.map(({ longestMs }) => longestMs))),
        responses: sumOf(phases.map(({ responses }) => responses)),
        notBack: notBack(after),
        rssMiB: rests.map(({ rss }) => Math.round(rss / 2 ** 20)),
        peakMiB: phases.map(({ peakBytes }) => Math.round(peakBytes / 2 ** 20)),
        descriptors: rests.map(({ descriptors }) => descriptors),
        threads: rests.map(({ threads }) => threads),
        memories: rests.map(({ memories }) => memories),
      };
      process.stderr.write(`${JSON.stringify(summary)}\n`);
      expect(reloadsMs).toHaveLength(RELOADS);
      expect(summary.requests).toBeGreaterThanOrEqual(REQUESTS);
      expect(summary.failedLoads).toBeGreaterThan(0);
      expect(summary.notBack).toEqual([]);
      expect(after.stats.refused).toEqual({});
      expect(after.descriptors).toBe(before.descriptors);
      expect(after.threads).toBe(run.threads);
      // HTTP threads keep the first one for their parsers.
      expect(after.memories).toBe(2 * memories);
      // Memory that grows as much in the second half as in the first would grow forever.
      expect(after.rss - rests[QUARTERS / 2].rss).toBeLessThan(RSS_BYTES);
      const { counted, expected } = await run.counted([warm, ...phases]);
      expect(counted).toEqual(expected);
      expect(await run.logged()).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
