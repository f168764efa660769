/*
 * What traces and diagnostics cost: the CPU time of a request with each of them, and with `traces: false`. Usage: npm run bench:traces --
 * [rounds] [seconds] [connections]
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { compareCpu, percent, startLoopShard } from '../http/cpu-pairs.js';
import { busyCores } from '../http/quietness.js';
import { wrkVersion } from '../http/wrk.js';

const APP = 'loopshard-app.js';

const { positionals } = parseArgs({ allowPositionals: true });
const [rounds = 11, seconds = 3, connections = 50] = positionals.map(Number);

const preload = (/** @type {string} */ module) => ({ threads: { preload: new URL(module, import.meta.url).href } });
/** @type {[title: string, options: object][]} */
const CASES = [
  ['no SDK', {}],
  ['SDK, no request sampled', preload('./tracing.js?sampler=off')],
  ['SDK, every request sampled', preload('./tracing.js?sampler=on')],
  ['subscribers to all channels', { traces: false, ...preload('./listening.js') }],
  ['`serverTiming: true`', { traces: false, serverTiming: true }],
];

console.log(
  `${os.cpus()[0]?.model.trim()}, ${os.availableParallelism()} cores, Node ${process.versions.node}, wrk ${wrkVersion()} -t1 -c${connections}, 1 shard, medians of ${rounds} × ${seconds} s, alternating with \`traces: false\`; ${(await busyCores()).toFixed(1)} cores busy with other work\n`,
);
console.log('| | CPU time per request, µs | with `traces: false`, µs | difference within a round | from | to |');
console.log('|---|---|---|---|---|---|');
for (const [title, options] of CASES) {
  const without = await startLoopShard(APP, { shards: 1, traces: false });
  const traced = await startLoopShard(APP, { shards: 1, ...options });
  const { first, second, ratio } = await compareCpu(without, traced, { rounds, seconds, connections });
  for (const server of [without, traced]) await server.stop();
  console.log(
    `| ${title} | ${second.median.toFixed(2)} | ${first.median.toFixed(2)} | ${percent(ratio.median)} | ${percent(ratio.min)} | ${percent(ratio.max)} |`,
  );
}
