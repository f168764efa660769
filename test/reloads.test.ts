/* A short version of test/stress/reloads.test.ts. */
import { afterEach, expect, test } from '@jest/globals';
import { notBack } from './support/conservation.js';
import { ReloadRun } from './support/reloads.js';

const REQUESTS = 20_000;
const RELOADS = 6;

let run: ReloadRun | undefined;

afterEach(() => {
  run?.destroy();
  run = undefined;
});

test.each([1, 2])(
  `${RELOADS} reloads during ${REQUESTS} requests fail and mix up none, and leave nothing behind (HTTP threads: %i)`,
  async (httpThreads) => {
    run = new ReloadRun(httpThreads);
    await run.start();
    const before = await run.atRest();
    const phase = await run.load(REQUESTS, RELOADS);
    expect(phase.count).toBeGreaterThanOrEqual(REQUESTS);
    expect(phase.versions).toEqual(Array.from({ length: RELOADS + 1 }, (_, i) => i + 1));
    const after = await run.atRest();
    expect(notBack(after)).toEqual([]);
    expect(after.stats.refused).toEqual({});
    expect([after.threads, after.descriptors]).toEqual([run.threads, before.descriptors]);
    // HTTP threads keep the first one for their parsers.
    expect(after.memories).toBe(2 * before.memories);
    const { counted, expected } = await run.counted([phase]);
    expect(counted).toEqual(expected);
    expect(await run.logged()).toEqual([]);
  },
  120_000,
);
