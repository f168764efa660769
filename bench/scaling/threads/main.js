/*
 * npm run bench:threads: measures the CPU time of a light request on each kind of thread, by the number of HTTP threads and shards.
 */
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { Command } from 'commander';
import { canReusePort } from '../../../build/src/options/http-threads.js';
import { checkServer } from '../../http/check.js';
import { endChildrenOnExit } from '../../http/children.js';
import { BenchError } from '../../http/errors.js';
import { count } from '../../http/format.js';
import { loadServer } from '../../http/load.js';
import { PEERS } from '../../http/peers.js';
import { busyCores, disturbance } from '../../http/quietness.js';
import { cpuPerRequest } from '../../http/rounds.js';
import { startServer } from '../../http/server-process.js';
import { renderTable } from '../../http/table.js';
import { runWrk, wrkVersion } from '../../http/wrk.js';
import { list, positiveInteger } from '../../scheduling/options.js';

const ROLES = ['HTTP threads', 'shards', 'rest'];

/** @typedef {{ httpThreads: number, shards: number, connections: number }} Configuration */
/** @typedef {{ perSecond: number, p99Us: number, cpuUs: Record<string, number> }} Run */

/** @param {string} value */
const integers = (value) => list(value).map(positiveInteger);

const options = new Command('npm run bench:threads --')
  .description('CPU time of a light request by kind of thread. Linux, with wrk.')
  .option('--http-threads <list>', 'HTTP threads', integers, canReusePort() ? [1, 2, 4] : [1])
  .option('--shards <list>', 'shards', integers, [1, 2, 4, 8, 16])
  .option('--connections <list>', 'connections', integers, [50])
  .option('--rounds <n>', 'rounds, every other one in reverse order', positiveInteger, 3)
  .option('--seconds <n>', 'length of each run', positiveInteger, 2)
  .option('--warm-up <n>', 'seconds of load before each run: every thread compiles its own code', positiveInteger, 1)
  .option('--json <file>', 'file for the raw results')
  .parse()
  .opts();

/**
 * @param {Configuration} configuration
 * @returns {Promise<Run>}
 */
async function measure({ httpThreads, shards, connections }) {
  const peer = {
    ...PEERS.message[0],
    file: '../../scaling/threads/server.js',
    args: [JSON.stringify({ httpThreads, shards })],
  };
  const server = await startServer(peer, process.execPath);
  try {
    const generator = { title: 'wrk', isBottleneck: false, run: runWrk };
    const bytes = await checkServer(server);
    await loadServer(generator, server, bytes, connections, options.warmUp);
    const before = server.cpuUs();
    const { requests, seconds, p99Us } = await loadServer(generator, server, bytes, connections, options.seconds);
    const { cpuUsByRole } = cpuPerRequest(before, server.cpuUs(), requests);
    const cpuUs = Object.fromEntries(ROLES.map((role) => [role, cpuUsByRole?.[role] ?? 0]));
    return { perSecond: requests / seconds, p99Us, cpuUs };
  } finally {
    await server.stop();
  }
}

/** @param {number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** @param {Run} run */
function total({ cpuUs }) {
  return Object.values(cpuUs).reduce((sum, us) => sum + us, 0);
}

endChildrenOnExit();
try {
  if (wrkVersion() === undefined) throw new BenchError('bench:threads needs wrk. Install it and run it again.');
  /** @type {Configuration[]} */
  const configurations = options.connections.flatMap((/** @type {number} */ connections) =>
    options.httpThreads.flatMap((/** @type {number} */ httpThreads) =>
      options.shards.map((/** @type {number} */ shards) => ({ httpThreads, shards, connections })),
    ),
  );
  /** @type {Run[][]} */
  const runs = configurations.map(() => []);
  const busyBefore = await busyCores();
  for (let round = 0; round < options.rounds; round++) {
    const order = [...configurations.keys()];
    for (const i of round % 2 === 0 ? order : order.reverse()) runs[i].push(await measure(configurations[i]));
  }
  const notes = disturbance(busyBefore, await busyCores());
  const best = new Map(
    options.connections.map((/** @type {number} */ connections) => {
      const of = runs.filter((_, i) => configurations[i].connections === connections);
      return [connections, Math.min(...of.map((one) => median(one.map(total))))];
    }),
  );
  const rows = configurations.map(({ httpThreads, shards, connections }, i) => [
    ...[connections, httpThreads, shards].map(String),
    ...ROLES.map((role) => median(runs[i].map(({ cpuUs }) => cpuUs[role])).toFixed(1)),
    median(runs[i].map(total)).toFixed(1),
    (median(runs[i].map(total)) / best.get(connections)).toFixed(2),
    count(median(runs[i].map(({ perSecond }) => perSecond))),
    (median(runs[i].map(({ p99Us }) => p99Us)) / 1_000).toFixed(2),
  ]);
  const head = ['c', 'H', 'N', ...ROLES, 'CPU µs per request', '÷ best', 'requests/s', 'p99 ms'];
  process.stdout.write(
    `Node.js ${process.versions.node}, ${os.availableParallelism()} cores, wrk on the same ones; medians of ${options.rounds} runs of ${options.seconds} s after ${options.warmUp} s of warm-up\n\n`,
  );
  process.stdout.write(`${renderTable(head, rows)}\n${notes ? `\n${notes}\n` : ''}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ configurations, runs }, null, 2)}\n`);
} catch (error) {
  process.stderr.write(`\n${error instanceof BenchError ? error.message : /** @type {Error} */ (error).stack}\n`);
  process.exit(1);
}
