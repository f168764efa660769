import { parseArgs } from 'node:util';
import { checkServer } from '../http/check.js';
import { endChildrenOnExit } from '../http/children.js';
import { formatConditions, readConditions } from '../http/conditions.js';
import { BenchError } from '../http/errors.js';
import { chooseGenerator } from '../http/load.js';
import { say } from '../http/progress.js';
import { busyCores, disturbance } from '../http/quietness.js';
import { planConnections, plannedSeconds, runRounds } from '../http/rounds.js';
import { startServer } from '../http/server-process.js';
import { FRAMEWORKS } from './frameworks.js';
import { formatReport } from './report.js';

const HELP = `Compares apps of other frameworks on one shard with the same apps on their usual servers for Node.js: GET of a small
JSON object.

  npm run bench:adapters -- [options]

  --rounds N        measured rounds, after a warm-up round; every other one in reverse order  (6)
  --seconds N       length of each load                                                       (4)
  --connections N   number of open connections                                                (50)
  --only LIST       frameworks: ${FRAMEWORKS.map(({ id }) => id).join(', ')}
  --node PATH       Node.js to run the servers with
  --help`;

const DEFINITIONS = /** @type {const} */ ({
  rounds: { type: 'string', default: '6' },
  seconds: { type: 'string', default: '4' },
  connections: { type: 'string', default: '50' },
  only: { type: 'string', default: FRAMEWORKS.map(({ id }) => id).join(',') },
  node: { type: 'string', default: process.execPath },
  help: { type: 'boolean', default: false },
});

/** @param {string[]} args */
async function run(args) {
  const options = readOptions(args);
  if (options.help) return print(HELP);
  const generator = chooseGenerator();
  const peers = options.frameworks.flatMap(({ shard, usual }) => [usual, shard]);
  const servers = await Promise.all(peers.map((peer) => startServer(peer, options.node)));
  const conditions = readConditions(servers, generator, options, await busyCores());
  print(formatConditions(conditions));
  const checked = [];
  for (const server of servers) checked.push({ ...server, answerBytes: await checkServer(server) });
  const plan = planConnections(checked, options.connections);
  say(`The loads take about ${Math.ceil(plannedSeconds(plan, options))} s.\n`);
  const measurements = await runRounds(plan, generator, options);
  for (const server of servers) await checkServer(server);
  const disturbed = disturbance(conditions.busyCores, await busyCores());
  await Promise.all(servers.map((server) => server.stop()));
  print(`\n${formatReport(measurements, options.frameworks)}`);
  if (disturbed) print(`\n${disturbed}`);
}

/** @param {string[]} args */
function readOptions(args) {
  const { rounds, seconds, connections, only, node, help } = parse(args);
  const ids = only.split(',');
  const unknown = ids.find((id) => !FRAMEWORKS.some((framework) => framework.id === id));
  if (unknown !== undefined) throw new BenchError(`Unknown framework "${unknown}" in --only.\n\n${HELP}`);
  return {
    rounds: integer('rounds', rounds),
    seconds: integer('seconds', seconds),
    connections: [integer('connections', connections)],
    frameworks: FRAMEWORKS.filter(({ id }) => ids.includes(id)),
    node,
    help,
  };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({ args, options: DEFINITIONS }).values;
  } catch (error) {
    throw new BenchError(`${/** @type {Error} */ (error).message}\n\n${HELP}`);
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function integer(name, value) {
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new BenchError(`--${name} takes whole numbers from 1 on, not "${value}".`);
}

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

endChildrenOnExit();
try {
  await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`\n${error instanceof BenchError ? error.message : /** @type {Error} */ (error).stack}\n`);
  process.exit(1);
}
