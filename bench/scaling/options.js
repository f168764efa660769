import { Command, InvalidArgumentError } from 'commander';
import { list, positiveInteger } from '../scheduling/options.js';
import { COSTS } from './costs.js';
import { WORKLOADS } from './workloads.js';

/**
 * @typedef {object} Options
 * @property {number[]} cores
 * @property {import('./workloads.js').Workload[]} workloads
 * @property {number[] | undefined} connections
 * @property {boolean} generatorOnMachine
 * @property {number} roundTripUs
 * @property {import('./costs.js').Costs} costs
 * @property {number} seed
 * @property {boolean} check
 * @property {boolean} quick
 * @property {string | undefined} json
 */

/**
 * @param {string[]} args
 * @returns {Options}
 */
export function readOptions(args) {
  const command = new Command('npm run bench:scaling --')
    .description(
      'Predicts throughput and latency on machines with more cores, compared with a Fastify cluster. See docs/scaling.md.',
    )
    .option('--cores <list>', 'cores of the machines (default: 2,4,16,64)', integers)
    .option('--workloads <list>', `of ${WORKLOADS.map(({ id }) => id).join(', ')} (default: all)`, workloads)
    .option('--connections <list>', 'connections (default: 50, 500 and 64 for each core)', integers)
    .option('--generator-on-machine', 'run the load generator as a thread on the same cores', false)
    .option('--round-trip-us <n>', 'round trip between clients and server', positiveInteger, 30)
    .option(
      '--fastify-us <n>',
      `CPU time of a light request in Fastify (default: ${COSTS.fastify.requestUs})`,
      positiveInteger,
    )
    .option('--seed <n>', 'seed of the random numbers', positiveInteger, 1)
    .option('--check', 'only compare measurements of this machine with a simulation of it (needs wrk)', false)
    .option('--quick', 'few and short simulations, to test that it runs', false)
    .option('--json <file>', 'file for the raw results')
    .parse(args, { from: 'user' });
  const { cores, workloads: chosen, fastifyUs, ...options } = /** @type {any} */ (command.opts());
  return {
    ...options,
    costs: fastifyUs ? { ...COSTS, fastify: { ...COSTS.fastify, requestUs: fastifyUs } } : COSTS,
    cores: cores ?? (options.quick ? [4, 16] : [2, 4, 16, 64]),
    workloads: chosen ?? WORKLOADS,
  };
}

/** @param {string} value */
function integers(value) {
  return list(value).map(positiveInteger);
}

/** @param {string} value */
function workloads(value) {
  return list(value).map((id) => {
    const workload = WORKLOADS.find((known) => known.id === id);
    if (workload !== undefined) return workload;
    throw new InvalidArgumentError(
      `Unknown workload "${id}". Known: ${WORKLOADS.map((known) => known.id).join(', ')}.`,
    );
  });
}
