/*
 * Checks that a server loses nothing, whatever happens to it: pipelined requests of all sizes in both
 * directions (strings, bytes, JSON with and without a schema, the JSON writer, streams, uploads, HEAD), clients that disconnect
 * at any point, and shards that end. The clients' logs are compared with the handlers' log, which each shard's thread writes before
 * it does anything else for a request.
 *
 * By default this is a sample. The full run:
 *
 *   CONSERVATION_REQUESTS=1000000 CONSERVATION_ENDS=1000 npm run test:stress -- -t conservation
 *
 * - CONSERVATION_REQUESTS   requests, after a warm-up with a tenth as many (20,000)
 * - CONSERVATION_ENDS       minimum number of shard ends; they continue until all requests are done (20); 0: none
 * - CONSERVATION_WAYS       the ways in which shards end in turn, from WAYS; all by default. A thread in an endless loop cannot end
 *                           itself, so for `loop` the server's process terminates the thread once it spins
 * - CONSERVATION_HTTP_THREADS  HTTP threads (1, and then 2)
 * - CONSERVATION_HTTP_ENDS  minimum number of HTTP thread ends if there are several; they continue until all requests are done (half of ENDS)
 * - CONSERVATION_PROCESSES  client processes (2)
 * - SEED                    of all random choices; it does not determine the order in which threads run
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { get, RawClient } from '../support/client.js';
import {
  type ClientPlan,
  compareLogs,
  countOutcomes,
  notBack,
  sumOf,
  useConservationRun,
} from '../support/conservation.js';
import { createRandom } from '../support/random.js';
import { until } from '../support/server.js';

const WAYS = [
  'exit',
  'throw',
  'exit-later',
  'loop',
  'exit',
  'heap',
  'throw',
  'start-import',
  'exit-later',
  'start-late',
];

const setting = (name: string, standard: number) => Number(process.env[`CONSERVATION_${name}`] ?? standard);
const REQUESTS = setting('REQUESTS', 20_000);
const ENDS = setting('ENDS', 20);
const PROCESSES = setting('PROCESSES', 2);
const HTTP_ENDS = setting('HTTP_ENDS', ENDS / 2);
const HTTP_THREADS = process.env.CONSERVATION_HTTP_THREADS?.split(',').map(Number) ?? [1, 2];
const CHOSEN_WAYS = process.env.CONSERVATION_WAYS?.split(',') ?? WAYS;

/** Uses as many connections and the same sizes as the main load, and ends some shards. */
const WARM_REQUESTS = Math.max(5_000, REQUESTS / 10);
const WARM_ENDS = Math.min(ENDS, WAYS.length);

/** Share of the ends that happen while another shard is still recovering. */
const OVERLAPPING = 0.2;
const REFUSED = 0.01;
/** Checked only in the full run: the median of two dozen measurements on a shared machine means nothing. */
const RECOVERY_MS = 250;
const TIMED_ENDS = 1_000;
const RSS_BYTES = 16 * 2 ** 20;
/** The same limit if HTTP threads end too: their replacements compete for the same cores and must warm up their own heaps. */
const RECOVERY_BESIDE_MS = 1_000;
const RSS_BESIDE_BYTES = 64 * 2 ** 20;
const CLOSE_MS = 10_000;
/** Maximum difference between the times at which two processes see the end of a connection. */
const CLOCK_MS = 100;
const TIMEOUT_MS = 120_000 + REQUESTS * 10 + ENDS * 5_000;

let scene: ReturnType<typeof useConservationRun>;
let ends = 0;

/**
 * Ends shards, one or two at a time.
 * @param least number of ends, unless `isOver` comes later
 * @returns how many shards ended in each way
 */
async function endShards(least: number, isOver: () => boolean, random: () => number): Promise<Record<string, number>> {
  const ended: Record<string, number> = {};
  for (let count = 0; count < least || !isOver(); ) {
    const way = CHOSEN_WAYS[count % CHOSEN_WAYS.length];
    const status = await endShard(way);
    if (status === undefined) continue;
    // The status is 500 if an exception first fails its request and then ends its shard. A rejected request does not count: it ends no shard.
    if (![500, 502, 503].includes(status)) throw new Error(`the request that ended a shard by ${way} got ${status}`);
    if (status !== 503) {
      count++;
      ended[way] = (ended[way] ?? 0) + 1;
    }
    if (random() > OVERLAPPING) await until(() => scene.run.allReady(), `recovery from ${way}`);
  }
  return ended;
}

/** Returns the status of the response; nothing if the HTTP thread ended before there was one. */
async function endShard(way: string): Promise<number | undefined> {
  const { ports } = scene.run;
  try {
    const client = await RawClient.open(ports[ends % ports.length]);
    client.write(get(`/end/${way}/end-${ends++}`));
    const { status } = await client.response();
    client.destroy();
    return status;
  } catch (error) {
    if (ports.length > 1) return undefined;
    throw error;
  }
}

/**
 * Ends HTTP threads, one after the other. Each listens again before the next one ends.
 * @returns how many ended
 */
async function endHttpThreads(least: number, isOver: () => boolean, random: () => number): Promise<number> {
  const { run } = scene;
  let count = 0;
  for (; count < least || !isOver(); count++) {
    const port = run.ports[Math.floor(random() * run.ports.length)];
    const end = { port, from: Date.now(), to: Number.POSITIVE_INFINITY };
    run.httpEnds.push(end);
    const client = await RawClient.open(port);
    client.write(get(random() < 0.5 ? '/exit' : '/throw', 'Connection: Upgrade', 'Upgrade: end'));
    await client.closed();
    await until(() => listens(port), 'the HTTP thread to listen again');
    end.to = Date.now() + CLOCK_MS;
  }
  return count;
}

async function listens(port: number): Promise<boolean> {
  try {
    (await RawClient.open(port)).destroy();
    return true;
  } catch {
    return false;
  }
}

/** Sends requests while threads end. */
async function load(
  name: string,
  requests: number,
  least: number,
  leastHttp: number,
  random: () => number,
): Promise<Record<string, number>> {
  const plan: ClientPlan = { run: name, requests, processes: PROCESSES, pipelined: 16, leaving: 0.06, sizes: 'all' };
  let isOver = false;
  const clients = scene.run.runClients(plan).finally(() => {
    isOver = true;
  });
  const [ended, http] = await Promise.all([
    least > 0 ? endShards(least, () => isOver, random) : {},
    leastHttp > 0 ? endHttpThreads(leastHttp, () => isOver, random) : 0,
    clients,
  ]);
  return { ...ended, ...(http > 0 && { http }) };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);

describe.each(HTTP_THREADS)('conservation, HTTP threads: %i', (httpThreads) => {
  scene = useConservationRun(httpThreads);
  const mine = scene;
  beforeAll(() => {
    scene = mine;
  });
  const httpEnds = httpThreads > 1 ? HTTP_ENDS : 0;

  test(
    `${REQUESTS} requests and ${ENDS} shard ends lose, repeat, mix up or truncate nothing, and leak no resource`,
    async () => {
      const random = createRandom();
      await load('warm', WARM_REQUESTS, WARM_ENDS, Math.min(httpEnds, WAYS.length), random);
      const before = await scene.run.figuresAtRest();
      expect(notBack(before)).toEqual([]);
      const restarts = () => before.stats.shards.reduce((sum, shard) => sum + shard.restarts, 0);
      scene.run.recoveries.length = 0;

      const start = performance.now();
      const halves = [await load('first', REQUESTS / 2, ENDS / 2, httpEnds / 2, random)];
      // Memory that grows as much in the second half as in the first would grow forever.
      const middle = await scene.run.figuresAtRest();
      halves.push(await load('second', REQUESTS / 2, ENDS / 2, httpEnds / 2, random));
      const seconds = (performance.now() - start) / 1_000;
      const after = await scene.run.figuresAtRest();

      const outcomes = scene.run.readClients();
      const counts = countOutcomes(outcomes);
      const faults = compareLogs(outcomes, scene.run.readHandlers());
      const restarted = after.stats.shards.reduce((sum, shard) => sum + shard.restarts, 0) - restarts();
      const recoveryMs = { median: median(scene.run.recoveries), most: Math.max(...scene.run.recoveries) };
      const grown = after.rss - middle.rss;
      const summary = {
        ...{ seconds, outcomes: counts, ended: sumOf(halves), restarted, recoveryMs, notBack: notBack(after) },
        ...{
          rssMiB: [before.rss, middle.rss, after.rss].map(mebibytes),
          descriptors: [before.descriptors, after.descriptors],
        },
      };
      process.stderr.write(`${JSON.stringify(summary)}\n`);
      if (faults.length > 0) process.stderr.write(`${faults.join('\n')}\n`);
      expect(faults).toEqual([]);
      expect(outcomes.size).toBeGreaterThanOrEqual(REQUESTS + WARM_REQUESTS);
      expect(restarted).toBeGreaterThanOrEqual(ENDS);
      expect(counts[503] ?? 0).toBeLessThan(outcomes.size * REFUSED);
      expect(notBack(after)).toEqual([]);
      expect([after.descriptors, after.threads]).toEqual([before.descriptors, before.threads]);
      if (ENDS >= TIMED_ENDS) expect(recoveryMs.median).toBeLessThan(httpEnds > 0 ? RECOVERY_BESIDE_MS : RECOVERY_MS);
      expect(grown).toBeLessThan(httpEnds > 0 ? RSS_BESIDE_BYTES : RSS_BYTES);
      expect(await scene.run.ask<number>('close')).toBeLessThan(CLOSE_MS);
    },
    TIMEOUT_MS,
  );
});
