/*
 * Measures the memory left after large requests and responses: 16 kB to 1.6 MB in both directions, where a third of the clients'
 * visits end before the responses have arrived. The baseline is measured after a warm-up with as many connections and the same sizes:
 * memory that a server touches for the first time during the warm-up is no leak.
 *
 * By default this is a sample. The full run: LARGE_MEMORY_REQUESTS=100000 npm run test:stress -- -t "large requests"
 */
import { expect, test } from '@jest/globals';
import { type ClientPlan, compareLogs, notBack, useConservationRun } from '../support/conservation.js';

const REQUESTS = Number(process.env.LARGE_MEMORY_REQUESTS ?? 5_000);
const WARM_REQUESTS = 10_000;
const GROWN_BYTES = 16 * 2 ** 20;
const TIMEOUT_MS = 120_000 + REQUESTS * 20;

const scene = useConservationRun();

test(
  `memory returns to its baseline after ${REQUESTS} large requests, many of them aborted`,
  async () => {
    const plan: Omit<ClientPlan, 'run' | 'requests'> = { processes: 2, pipelined: 4, leaving: 0.35, sizes: 'large' };
    await scene.run.runClients({ run: 'warm', requests: WARM_REQUESTS, ...plan });
    const before = await scene.run.figuresAtRest();
    await scene.run.runClients({ run: 'main', requests: REQUESTS, ...plan });
    const after = await scene.run.figuresAtRest();
    const mebibytes = [before.rss, after.rss].map((bytes) => Math.round(bytes / 2 ** 20));
    process.stderr.write(`RSS before and after: ${mebibytes.join(', ')} MiB\n`);
    expect(compareLogs(scene.run.readClients(), scene.run.readHandlers())).toEqual([]);
    expect(notBack(after)).toEqual([]);
    expect([after.descriptors, after.threads]).toEqual([before.descriptors, before.threads]);
    expect(after.rss - before.rss).toBeLessThan(GROWN_BYTES);
  },
  TIMEOUT_MS,
);
