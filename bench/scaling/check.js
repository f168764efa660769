import os from 'node:os';
import { checkServer } from '../http/check.js';
import { BenchError } from '../http/errors.js';
import { count, milliseconds, signed, withRange } from '../http/format.js';
import { loadServer } from '../http/load.js';
import { PEERS } from '../http/peers.js';
import { busyCores, disturbance } from '../http/quietness.js';
import { cpuPerRequest } from '../http/rounds.js';
import { startServer } from '../http/server-process.js';
import { spread } from '../http/statistics.js';
import { renderTable } from '../http/table.js';
import { runWrk, wrkVersion } from '../http/wrk.js';
import { simulate } from './simulate.js';
import { WORKLOADS } from './workloads.js';

/** @typedef {import('./simulate.js').Case} Case */

/**
 * @typedef {object} Subject
 * @property {string} title
 * @property {import('../http/peers.js').Peer} peer
 * @property {Case['server']} server the same in the simulation
 */

/** @typedef {{ perSecond: number, p50Us: number, p99Us: number, cpuUs: number }} Figures */

const CONNECTIONS = [8, 50];
const SECONDS = 2;
const ROUNDS = 5;
const REQUESTS = 30_000;
const PERCENT = 100;

/** @returns {Subject[]} */
function subjects() {
  const [loopshard, ...others] = PEERS.message;
  const cluster = others.find(({ id }) => id === 'fastify-cluster');
  if (cluster === undefined) throw new Error('bench/http has no Fastify in a cluster.');
  const withShards = (/** @type {number} */ shards) => ({
    title: `LoopShard, ${shards} ${shards > 1 ? 'shards' : 'shard'}`,
    peer: { ...loopshard, args: ['loopshard-app.js', JSON.stringify({ shards })] },
    server: /** @type {Case['server']} */ ({ kind: 'loopshard', httpThreads: 1, shards }),
  });
  return [
    withShards(1),
    withShards(2),
    { title: cluster.title, peer: cluster, server: { kind: 'cluster', spread: 'even' } },
  ];
}

/**
 * Compares measurements of servers on this machine with their simulation, with the load generator on the same cores.
 * @param {number} seed
 * @param {import('./costs.js').Costs} costs
 */
export async function checkModel(seed, costs) {
  if (wrkVersion() === undefined) throw new BenchError('--check needs wrk. Install it and run the check again.');
  const busyBefore = await busyCores();
  const cases = subjects().flatMap((subject) => CONNECTIONS.map((connections) => ({ ...subject, connections })));
  /** @type {Figures[][]} */
  const measured = cases.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    const order = [...cases.keys()];
    for (const i of round % 2 === 0 ? order : order.reverse()) {
      measured[i].push(await measure(cases[i].peer, cases[i].connections));
    }
  }
  const rows = cases.map(({ title, connections, server }, i) => {
    const simulated = simulate({
      cores: os.availableParallelism(),
      workload: WORKLOADS[0],
      connections,
      server,
      seed,
      requests: REQUESTS,
      generatorOnMachine: true,
      costs,
    });
    const cpuUs = Object.entries(simulated.roles).reduce(
      (sum, [role, { usPerRequest }]) => sum + (role === 'generator' ? 0 : usPerRequest),
      0,
    );
    const real = measured[i];
    const perSecond = /** @type {import('../http/statistics.js').Spread} */ (spread(real.map((run) => run.perSecond)));
    return [
      `${title}, c=${connections}`,
      withRange(perSecond, count),
      count(simulated.perSecond),
      `${signed((simulated.perSecond / perSecond.median - 1) * PERCENT)} %`,
      withRange(spread(real.map(({ p50Us }) => p50Us)), milliseconds),
      milliseconds(simulated.p50Us),
      withRange(spread(real.map((run) => run.cpuUs)), (us) => us.toFixed(1)),
      cpuUs.toFixed(1),
    ];
  });
  const head = ['server', 'requests/s', 'simulated', 'error', 'p50 ms', 'simulated', 'CPU µs per request', 'simulated'];
  const notes = disturbance(busyBefore, await busyCores());
  return {
    table: renderTable(head, rows),
    notes,
    measured: cases.map(({ title, connections }, i) => ({ title, connections, runs: measured[i] })),
  };
}

/**
 * @param {import('../http/peers.js').Peer} peer
 * @param {number} connections
 * @returns {Promise<Figures>}
 */
async function measure(peer, connections) {
  const server = await startServer(peer, process.execPath);
  const generator = { title: 'wrk', isBottleneck: false, run: runWrk };
  const bytes = await checkServer(server);
  await loadServer(generator, server, bytes, connections, 1);
  const before = server.cpuUs();
  const { requests, seconds, p50Us, p99Us } = await loadServer(generator, server, bytes, connections, SECONDS);
  const { cpuUs } = cpuPerRequest(before, server.cpuUs(), requests);
  await server.stop();
  return { perSecond: requests / seconds, p50Us, p99Us, cpuUs: /** @type {number} */ (cpuUs) };
}
