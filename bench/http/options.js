import { parseArgs } from 'node:util';
import { BenchError } from './errors.js';
import { WORKLOADS } from './peers.js';

export const HELP = `Compares LoopShard with other HTTP servers, side by side on this machine.

  npm run bench:http -- [options]

  --rounds N           rounds that count, after one that warms up    (5)
  --seconds N          length of each load                           (4)
  --connections LIST   connections held open, one load for each      (1,50,500)
  --workload NAME      message: a small object; rows: 100 rows, with and without a schema    (message)
  --only LIST          of ${ids('message').join(', ')};
                       for rows of ${ids('rows').join(', ')}
  --node PATH          runs the servers with another Node.js
  --bun PATH           adds Bun.serve, run by this Bun
  --json FILE          writes the raw results there
  --profile            loads LoopShard once more and shows where its two threads spend their time
  --help`;

const DEFINITIONS = /** @type {const} */ ({
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '4' },
  connections: { type: 'string', default: '1,50,500' },
  workload: { type: 'string', default: 'message' },
  only: { type: 'string' },
  node: { type: 'string', default: process.execPath },
  bun: { type: 'string' },
  json: { type: 'string' },
  profile: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
});

/**
 * @typedef {object} Options
 * @property {number} rounds
 * @property {number} seconds
 * @property {number[]} connections
 * @property {string} workload
 * @property {readonly import('./peers.js').Peer[]} peers
 * @property {string} node
 * @property {string | undefined} bun
 * @property {string | undefined} json
 * @property {boolean} profile
 * @property {boolean} help
 */

/**
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  const { rounds, seconds, connections, workload, only, node, bun, json, profile, help } = parse(args);
  return {
    rounds: integer('rounds', rounds),
    seconds: integer('seconds', seconds),
    connections: [...new Set(list(connections).map((value) => integer('connections', value)))],
    workload,
    peers: peersOf(workload, only),
    node,
    bun,
    json,
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
  throw new BenchError(`--${name} takes whole numbers from 1 on, not "${value}".`);
}

/** @param {string} workload */
function ids(workload) {
  return WORKLOADS[workload].map(({ id }) => id);
}

/**
 * @param {string} workload
 * @param {string | undefined} only
 */
function peersOf(workload, only) {
  if (!Object.hasOwn(WORKLOADS, workload)) {
    throw new BenchError(`--workload knows no "${workload}"; there are ${Object.keys(WORKLOADS).join(', ')}.`);
  }
  const known = ids(workload);
  const wanted = only === undefined ? known : list(only);
  const unknown = wanted.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new BenchError(`--only knows no "${unknown}"; there are ${known.join(', ')}.`);
  return WORKLOADS[workload].filter(({ id }) => wanted.includes(id));
}
