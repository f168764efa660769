/*
 * What counting metrics costs: the CPU time of a request with and without `metrics`, on two servers that take turns. The CPU time includes
 * all threads of a server and none of wrk. Usage: npm run bench:metrics -- [rounds] [seconds] [connections]
 */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { busyCores } from '../http/quietness.js';
import { startServer } from '../http/server-process.js';
import { BODY } from '../http/servers/workload.js';
import { spread } from '../http/statistics.js';
import { runWrk, wrkVersion } from '../http/wrk.js';

const WARM_UP_SECONDS = 3;
/** Linux counts CPU time in ticks of 10 ms. */
const US_PER_TICK = 10_000;
const SAMPLE_REQUESTS = 20;

const { positionals } = parseArgs({ allowPositionals: true });
const [rounds = 11, seconds = 3, connections = 50] = positionals.map(Number);

/** @typedef {import('../http/server-process.js').RunningServer} RunningServer */

/** @param {number[]} values */
function spreadOf(values) {
  return /** @type {import('../http/statistics.js').Spread} */ (spread(values));
}

/** @param {string} app @param {boolean} metrics */
function start(app, metrics) {
  const args = [app, JSON.stringify({ shards: 1, metrics })];
  return startServer({ id: app, title: app, file: 'loopshard.js', args, body: BODY, skips: [] }, process.execPath);
}

/** CPU time that all threads of a process have used. @param {RunningServer} server */
function cpuUs({ child }) {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

/** CPU time of a request. @param {RunningServer} server */
async function measure(server) {
  const before = cpuUs(server);
  const { requests, errors } = await runWrk(server, connections, seconds);
  if (Object.values(errors).some((count) => count > 0)) throw new Error(`errors under load: ${JSON.stringify(errors)}`);
  return (cpuUs(server) - before) / requests;
}

/** @param {string} title @param {string} app */
async function compare(title, app) {
  const servers = [await start(app, false), await start(app, true)];
  for (const server of servers) {
    const text = await (await fetch(server.url)).text();
    if (text !== BODY) throw new Error(`unexpected response: ${text}`);
    await runWrk(server, connections, WARM_UP_SECONDS);
  }
  /** @type {number[][]} */
  const pairs = [];
  for (let round = 0; round < rounds; round++) {
    // Every other round runs in reverse order, so that a machine that slows down meanwhile favours neither.
    if (round % 2 === 0) {
      const without = await measure(servers[0]);
      pairs.push([without, await measure(servers[1])]);
    } else {
      const counting = await measure(servers[1]);
      pairs.push([await measure(servers[0]), counting]);
    }
  }
  for (const server of servers) await server.stop();
  const { median: without } = spreadOf(pairs.map(([off]) => off));
  const { median: counting } = spreadOf(pairs.map(([, on]) => on));
  const ratio = spreadOf(pairs.map(([off, on]) => on / off));
  const percent = (/** @type {number} */ value) => `${((value - 1) * 100).toFixed(1)} %`;
  console.log(
    `${title}: ${without.toFixed(2)} µs of CPU time per request without metrics, ${counting.toFixed(2)} with; difference within a round: median ${percent(ratio.median)}, from ${percent(ratio.min)} to ${percent(ratio.max)}`,
  );
}

/** How long a scrape occupies the control thread, with as many routes as most apps have. */
async function measureScrape() {
  const { serve } = await import('loopshard');
  const server = await serve(new URL('./scraped-app.js', import.meta.url), { port: 0, shards: 4 });
  const { port } = server.address();
  const routes = server.routes();
  for (const { pattern } of routes) {
    for (let i = 0; i < SAMPLE_REQUESTS; i++) await (await fetch(`http://127.0.0.1:${port}${pattern}`)).text();
  }
  /** @type {number[]} */
  const times = [];
  let bytes = 0;
  for (let i = 0; i < 200; i++) {
    const begin = performance.now();
    bytes = (await server.metrics()).length;
    times.push(performance.now() - begin);
  }
  await server.close();
  console.log(
    `scrape: ${spreadOf(times).median.toFixed(1)} ms (median of 200) for ${routes.length} routes and 4 shards, ${Math.round(bytes / 1024)} KiB`,
  );
}

console.log(
  `${os.cpus()[0]?.model.trim()}, ${os.availableParallelism()} cores, Node ${process.versions.node}, wrk ${wrkVersion()} -t1 -c${connections}, 1 shard, ${rounds} × ${seconds} s, alternating; ${(await busyCores()).toFixed(1)} cores busy with other work`,
);
await compare('handler that returns an object', 'loopshard-app.js');
await compare(
  'handler that awaits a turn of the event loop',
  fileURLToPath(new URL('./async-app.js', import.meta.url)),
);
await measureScrape();
