import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BenchError } from './errors.js';
import { PEERS } from './peers.js';
import { makeExchanges } from './sizes/exchanges.js';

/**
 * @typedef {object} Workload
 * @property {string} about
 * @property {readonly { id: string }[]} choices what --only takes
 * @property {{ rounds: string, seconds: string, connections: string }} defaults
 */

const EXCHANGES = makeExchanges();

/** @type {Record<string, Workload>} */
const WORKLOADS = {
  message: {
    about: 'a small object',
    choices: PEERS.message,
    defaults: { rounds: '5', seconds: '4', connections: '1,50,500' },
  },
  connections: {
    about: 'a small object, for clients that open a connection for each request',
    choices: PEERS.connections,
    defaults: { rounds: '5', seconds: '4', connections: '50' },
  },
  tls: {
    about: 'a small object over TLS',
    choices: PEERS.tls,
    defaults: { rounds: '5', seconds: '4', connections: '50' },
  },
  rows: {
    about: '100 rows, with and without a schema',
    choices: PEERS.rows,
    defaults: { rounds: '5', seconds: '4', connections: '1,50,500' },
  },
  sizes: {
    about: 'responses and requests of 4 kB to 1 MiB, one and two shards compared with Fastify and cluster(2)',
    choices: EXCHANGES,
    defaults: { rounds: '3', seconds: '3', connections: '20' },
  },
};

/** Profiles and charts are deleted with the build. */
const SVG = fileURLToPath(new URL('../../build/bench-http-sizes/sizes.svg', import.meta.url));

export const HELP = `Compares LoopShard with other HTTP servers, side by side on this machine.

  npm run bench:http -- [options]

  --workload NAME      what to measure (default: message)
${Object.entries(WORKLOADS).map(formatWorkload).join('\n')}
  --rounds N           measured rounds, after a warm-up round
  --seconds N          length of each load
  --connections LIST   numbers of open connections, one load for each; sizes accepts one number
  --only LIST          parts of the workload to measure:
${Object.entries(WORKLOADS).map(formatChoices).join('\n')}
  --node PATH          Node.js to run the servers with
  --bun PATH           with message: also measures Bun.serve, run with this Bun
  --json FILE          file for the raw results
  --svg FILE           with sizes: file for a chart of requests/s by size    (build/bench-http-sizes/sizes.svg)
  --vary               with message: gives each request an ID of its own (x-request-id)
  --profile            with message: loads LoopShard once more and shows where its two threads spend their time
  --help`;

/** @param {[string, Workload]} entry */
function formatWorkload([
  name,
  {
    about,
    defaults: { rounds, seconds, connections },
  },
]) {
  return `                         ${name}: ${about}
                           (--rounds ${rounds} --seconds ${seconds} --connections ${connections})`;
}

/** @param {[string, Workload]} entry */
function formatChoices([name, { choices }]) {
  return `                         ${name}: ${choices.map(({ id }) => id).join(', ')}`;
}

const DEFINITIONS = /** @type {const} */ ({
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  connections: { type: 'string' },
  workload: { type: 'string', default: 'message' },
  only: { type: 'string' },
  node: { type: 'string', default: process.execPath },
  bun: { type: 'string' },
  json: { type: 'string' },
  svg: { type: 'string', default: SVG },
  vary: { type: 'boolean', default: false },
  profile: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
});

/**
 * @typedef {object} Options
 * @property {number} rounds
 * @property {number} seconds
 * @property {number[]} connections
 * @property {string} workload
 * @property {import('./peers.js').Peer[]} peers servers to measure; none for `sizes`, whose exchanges name them
 * @property {import('./sizes/exchanges.js').Exchange[]} exchanges exchanges to measure, for `sizes`
 * @property {string} node
 * @property {string | undefined} bun
 * @property {string | undefined} json
 * @property {string} svg
 * @property {boolean} vary
 * @property {boolean} profile
 * @property {boolean} help
 */

/**
 * @param {string[]} args
 * @returns {Options}
 * @throws BenchError
 */
export function readOptions(args) {
  const { rounds, seconds, connections, workload, only, node, bun, json, svg, vary, profile, help } = parse(args);
  if (!Object.hasOwn(WORKLOADS, workload)) {
    throw new BenchError(
      `Unknown value "${workload}" of --workload. Expected one of ${Object.keys(WORKLOADS).join(', ')}.`,
    );
  }
  const { choices, defaults } = WORKLOADS[workload];
  const ids = chosenIds(choices, only);
  const counts = list(connections ?? defaults.connections).map((value) => integer('connections', value));
  if (workload === 'sizes' && counts.length > 1) {
    throw new BenchError(`--workload sizes accepts one number of --connections, got ${counts.length}.`);
  }
  if (profile && workload !== 'message') throw new BenchError('--profile works with --workload message only.');
  if (vary && workload !== 'message') throw new BenchError('--vary works with --workload message only.');
  const peers = (PEERS[workload] ?? []).filter(({ id }) => ids.includes(id));
  return {
    rounds: integer('rounds', rounds ?? defaults.rounds),
    seconds: integer('seconds', seconds ?? defaults.seconds),
    connections: [...new Set(counts)],
    workload,
    peers: vary ? peers.map((peer) => ({ ...peer, isVaried: true })) : peers,
    exchanges: workload === 'sizes' ? EXCHANGES.filter(({ id }) => ids.includes(id)) : [],
    node,
    bun,
    json,
    svg,
    vary,
    profile,
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

/** @param {string} value */
function list(value) {
  return value.split(',').map((part) => part.trim());
}

/**
 * @param {string} name
 * @param {string} value
 */
function integer(name, value) {
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new BenchError(`--${name} must be whole numbers of at least 1, got "${value}".`);
}

/**
 * @param {readonly { id: string }[]} choices
 * @param {string | undefined} only
 */
function chosenIds(choices, only) {
  const known = choices.map(({ id }) => id);
  const wanted = only === undefined ? known : list(only);
  const unknown = wanted.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new BenchError(`Unknown value "${unknown}" of --only. Known: ${known.join(', ')}.`);
  return wanted;
}
