/*
 * What counting metrics costs: the CPU time of a request with and without `metrics`. Usage: npm run bench:metrics -- [rounds] [seconds]
 * [connections]
 */
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compareCpu, percent, spreadOf, startLoopShard } from '../http/cpu-pairs.js';
import { busyCores } from '../http/quietness.js';
import { wrkVersion } from '../http/wrk.js';

const SAMPLE_REQUESTS = 20;

const { positionals } = parseArgs({ allowPositionals: true });
const [rounds = 11, seconds = 3, connections = 50] = positionals.map(Number);

/** @param {string} title @param {string} app */
async function compare(title, app) {
  const without = await startLoopShard(app, { shards: 1, metrics: false });
  const counting = await startLoopShard(app, { shards: 1, metrics: true });
  const { first, second, ratio } = await compareCpu(without, counting, { rounds, seconds, connections });
  for (const server of [without, counting]) await server.stop();
  console.log(
    `${title}: ${first.median.toFixed(2)} µs of CPU time per request without metrics, ${second.median.toFixed(2)} with; difference within a round: median ${percent(ratio.median)}, from ${percent(ratio.min)} to ${percent(ratio.max)}`,
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
