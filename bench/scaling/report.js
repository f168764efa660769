import { count, milliseconds, ratio } from '../http/format.js';
import { renderTable } from '../http/table.js';
import { CANDIDATES, defaultThreads, formatThreads } from './default-rule.js';
import { WORKLOADS } from './workloads.js';

/** @typedef {import('./run.js').Result} Result */
/** @typedef {import('./simulate.js').Outcome} Outcome */
/** @typedef {import('./default-rule.js').Threads} Threads */

/** A thread with a higher utilization is the bottleneck. */
const SATURATED = 0.95;
/** If the mean utilization is lower, only some of the threads are saturated. */
const ALONE = 0.9;
const ONE_DIGIT = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const NAMES = { http: 'HTTP threads', shard: 'shards', process: 'processes', generator: 'the generator' };

/**
 * Formats the table of a machine: for each load the default, the best combination and the cluster.
 * @param {number} cores
 * @param {Result[]} results of that machine
 */
export function describeMachine(cores, results) {
  const rows = results.flatMap((result) => {
    const { workload, connections, cluster } = result;
    const best = bestOf(result);
    const title = `${titleOf(workload)}, c=${connections}`;
    return [
      row(
        title,
        `default: ${formatThreads(defaultThreads(cores))}`,
        cores,
        outcomeOf(result, defaultThreads(cores)),
        cluster.even,
      ),
      row('', `best: ${formatThreads(best.threads)}`, cores, best.outcome, cluster.even),
      row('', 'cluster, even', cores, cluster.even, undefined),
      row('', 'cluster, random', cores, cluster.random, cluster.even),
    ];
  });
  const head = [
    `${cores} cores`,
    'server (HTTP threads + shards)',
    'requests/s',
    '× cluster',
    'p50 ms',
    'p99 ms',
    'light p99 ms',
    'CPU µs per request',
    'cores busy',
    'saturated',
  ];
  const right = /** @type {const} */ ('right');
  return renderTable(head, rows, ['left', 'left', right, right, right, right, right, 'left', right, 'left']);
}

/**
 * @param {string} title
 * @param {string} server
 * @param {number} cores
 * @param {Outcome} outcome
 * @param {Outcome | undefined} cluster
 */
function row(title, server, cores, outcome, cluster) {
  return [
    title,
    server,
    count(outcome.perSecond),
    cluster ? ratio(outcome.perSecond / cluster.perSecond) : '–',
    milliseconds(outcome.p50Us),
    milliseconds(outcome.p99Us),
    milliseconds(outcome.lightP99Us),
    Object.entries(outcome.roles)
      .map(([role, { usPerRequest }]) => `${role} ${ONE_DIGIT.format(usPerRequest)}`)
      .join(', '),
    ONE_DIGIT.format(outcome.busyCores),
    saturated(cores, outcome),
  ];
}

/**
 * Names what limits the throughput.
 * @param {number} cores
 * @param {Outcome} outcome
 */
export function saturated(cores, { roles, busyCores }) {
  const limits = Object.entries(roles).flatMap(([role, { utilization, highest, threads }]) => {
    const name = NAMES[/** @type {keyof typeof NAMES} */ (role)];
    if (utilization > SATURATED) return [threads > 1 ? `all ${name}` : name];
    if (highest > SATURATED && utilization < ALONE) return [`some ${name}`];
    return [];
  });
  if (busyCores > SATURATED * cores) limits.unshift('cores');
  return limits.join(', ') || '–';
}

/** @param {Result} result */
export function bestOf({ loopshard }) {
  return loopshard.reduce((best, tried) => (tried.outcome.perSecond > best.outcome.perSecond ? tried : best));
}

/**
 * @param {Result} result
 * @param {Threads} threads
 */
export function outcomeOf({ loopshard }, threads) {
  const wanted = formatThreads(threads);
  const tried = loopshard.find((other) => formatThreads(other.threads) === wanted);
  if (tried === undefined) throw new Error(`${wanted} was not simulated.`);
  return tried.outcome;
}

/**
 * Formats the ratio of the throughput by each rule to that of the cluster: for each number of cores and workload, the worst one over the
 * numbers of connections.
 * @param {Result[]} results
 */
export function describeRules(results) {
  const cores = [...new Set(results.map((result) => result.cores))];
  const workloads = [...new Set(results.map(({ workload }) => workload))];
  const rows = CANDIDATES.flatMap(({ title, threads }) =>
    cores.map((machine, i) => {
      const cells = workloads.map((workload) => {
        const loads = results.filter((result) => result.cores === machine && result.workload === workload);
        const ratios = loads.map(
          (result) => outcomeOf(result, threads(machine)).perSecond / result.cluster.even.perSecond,
        );
        return ratios.map(ratio).join(' ');
      });
      return [i === 0 ? title : '', String(machine), formatThreads(threads(machine)), ...cells];
    }),
  );
  return renderTable(['rule', 'cores', 'threads', ...workloads.map(titleOf)], rows, ['left', 'right', 'left']);
}

/** @param {string} id */
function titleOf(id) {
  return /** @type {import('./workloads.js').Workload} */ (WORKLOADS.find((workload) => workload.id === id)).title;
}
