import { connectionsFor, threadsToTry } from './plan.js';
import { simulate } from './simulate.js';

/** @typedef {import('./simulate.js').Outcome} Outcome */
/** @typedef {import('./default-rule.js').Threads} Threads */
/** @typedef {import('./options.js').Options} Options */

/**
 * One machine under one load: every server that was simulated.
 * @typedef {object} Result
 * @property {number} cores
 * @property {string} workload id
 * @property {number} connections
 * @property {{ threads: Threads, outcome: Outcome }[]} loopshard
 * @property {{ even: Outcome, random: Outcome }} cluster
 */

const REQUESTS = 30_000;
const QUICK_REQUESTS = 4_000;

/**
 * @param {Options} options
 * @param {number} cores
 * @returns {Result[]}
 */
export function runMachine({ workloads, connections, costs, seed, quick, generatorOnMachine, roundTripUs }, cores) {
  const requests = quick ? QUICK_REQUESTS : REQUESTS;
  return workloads.flatMap((workload) =>
    (connections ?? connectionsFor(cores)).map((count) => {
      const load = { cores, workload, connections: count, seed, requests, generatorOnMachine, roundTripUs, costs };
      return {
        cores,
        workload: workload.id,
        connections: count,
        loopshard: threadsToTry(cores, quick).map((threads) => ({
          threads,
          outcome: simulate({ ...load, server: { kind: 'loopshard', ...threads } }),
        })),
        cluster: {
          even: simulate({ ...load, server: { kind: 'cluster', spread: 'even' } }),
          random: simulate({ ...load, server: { kind: 'cluster', spread: 'random' } }),
        },
      };
    }),
  );
}
