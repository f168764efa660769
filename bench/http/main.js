import { writeFileSync } from 'node:fs';
import { checkServer } from './check.js';
import { endChildrenOnExit } from './children.js';
import { formatConditions, readConditions } from './conditions.js';
import { BenchError } from './errors.js';
import { chooseGenerator } from './load.js';
import { HELP, readOptions } from './options.js';
import { profileLoopShard } from './profile.js';
import { say } from './progress.js';
import { busyCores, disturbance } from './quietness.js';
import { formatResults, formatTargets } from './report.js';
import { planConnections, plannedSeconds, runRounds } from './rounds.js';
import { startServer } from './server-process.js';
import { runSizes } from './sizes/sizes.js';
import { TARGETS } from './targets.js';

/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('./rounds.js').CheckedServer} CheckedServer */

/** @param {Options} options */
async function run(options) {
  const generator = chooseGenerator();
  const servers = await startServers(options);
  const conditions = readConditions(servers, generator, options, await busyCores());
  print(formatConditions(conditions));
  const checked = await checkServers(servers);
  const plan = planConnections(checked, options.connections);
  say(`The loads take about ${Math.ceil(plannedSeconds(plan, options))} s.\n`);
  const measurements = await runRounds(plan, generator, options);
  await checkServers(servers);
  const disturbed = disturbance(conditions.busyCores, await busyCores());
  await Promise.all(servers.map((server) => server.stop()));
  const targets = TARGETS[options.workload]?.(measurements) ?? [];
  print(`\n${formatResults(measurements, options.peers, options.connections)}`);
  if (!generator.isBottleneck && targets.length > 0) print(`\n${formatTargets(targets)}`);
  if (disturbed) print(`\n${disturbed}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify({ conditions, measurements, targets }, null, 2)}\n`);
  if (options.profile) print(`\n${await profileLoopShard(generator, options)}`);
}

/** @param {Options} options */
async function startServers({ peers, node, bun }) {
  const servers = [];
  for (const peer of peers) {
    const runtime = peer.id === 'bun' ? bun : node;
    if (runtime) servers.push(await startServer(peer, runtime));
    else say('Skipping Bun.serve. To compare with it, pass its executable: --bun PATH.');
  }
  if (servers.length === 0) throw new BenchError('No server is left to measure.');
  return servers;
}

/**
 * @param {import('./server-process.js').RunningServer[]} servers
 * @returns {Promise<CheckedServer[]>}
 */
async function checkServers(servers) {
  const checked = [];
  for (const server of servers) checked.push({ ...server, answerBytes: await checkServer(server) });
  say(`${checked.length} of ${servers.length} servers respond correctly.`);
  return checked;
}

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

endChildrenOnExit();
try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) print(HELP);
  else if (options.workload === 'sizes') await runSizes(options, print);
  else await run(options);
} catch (error) {
  process.stderr.write(`\n${error instanceof BenchError ? error.message : /** @type {Error} */ (error).stack}\n`);
  process.exit(1);
}
