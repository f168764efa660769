import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkServer } from './check.js';
import { readProfiles, selfTimes } from './cpu-profile.js';
import { count } from './format.js';
import { loadServer } from './load.js';
import { LOOPSHARD, PEERS } from './peers.js';
import { beginStep, endStep } from './progress.js';
import { toMeasurement } from './rounds.js';
import { startServer } from './server-process.js';
import { renderTable } from './table.js';

const DIRECTORY = new URL('../../build/bench-http-profiles/', import.meta.url);
const CONNECTIONS = 50;
const WARM_UP_SECONDS = 1;
const SAMPLE_INTERVAL_US = 250;
const ROWS = 15;

// With the same load, the parser had 0.5 % here, but 3.7 % in `perf record -e cpu-clock`.
const CAVEAT = `Wall-clock samples. (idle) includes libuv's polling and its socket reads. The sampling threads need a core
themselves. If none is free, the share of system calls that wake threads (socket writes, doorbells) is too high,
and that of plain code too low. For shares of CPU time, use: perf record -e cpu-clock.`;

/**
 * Loads LoopShard again under V8's profiler, which writes a file for each thread.
 * @param {import('./load.js').Generator} generator
 * @param {import('./options.js').Options} options
 * @returns {Promise<string>} the report
 */
export async function profileLoopShard(generator, { node, seconds, vary }) {
  const directory = fileURLToPath(DIRECTORY);
  rmSync(directory, { recursive: true, force: true });
  const loopshard = /** @type {import('./peers.js').Peer} */ (PEERS.message.find(({ id }) => id === LOOPSHARD));
  const peer = { ...loopshard, isVaried: vary };
  const flags = ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${SAMPLE_INTERVAL_US}`];
  const server = await startServer(peer, node, flags);
  const answerBytes = await checkServer(server);
  beginStep(`profile, c=${CONNECTIONS}, ${peer.title}`);
  await loadServer(generator, server, answerBytes, CONNECTIONS, WARM_UP_SECONDS);
  const fromUs = monotonicUs();
  const load = await loadServer(generator, server, answerBytes, CONNECTIONS, seconds);
  const toUs = monotonicUs();
  endStep(toMeasurement(0, peer.id, CONNECTIONS, load));
  await server.stop();
  const tables = readProfiles(directory).map(({ thread, profile }) => formatProfile(thread, profile, fromUs, toUs));
  return [`CPU profiles at c=${CONNECTIONS} (files in build/bench-http-profiles/)\n${CAVEAT}`, ...tables].join('\n\n');
}

/**
 * @param {number} thread
 * @param {import('./cpu-profile.js').CpuProfile} profile
 * @param {number} fromUs
 * @param {number} toUs
 */
function formatProfile(thread, profile, fromUs, toUs) {
  const functions = selfTimes(profile, fromUs, toUs);
  const total = functions.reduce((sum, { us }) => sum + us, 0);
  const rows = functions
    .slice(0, ROWS)
    .map(({ name, where, us }) => [name, where, count(us / 1000), `${((100 * us) / total).toFixed(1)} %`]);
  const title = thread === 0 ? 'HTTP thread' : `shard (thread ${thread})`;
  const head = [title, 'where', 'self ms', 'share'];
  return renderTable(head, rows, ['left', 'left', 'right', 'right']);
}

function monotonicUs() {
  return Number(process.hrtime.bigint() / 1000n);
}
