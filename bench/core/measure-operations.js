import { Bench } from 'tinybench';
import { spread } from '../http/statistics.js';
import { createOperations } from './operations.js';

/** Calls per timed sample, because reading the clock costs as much as an operation. */
const CALLS = 256;
const TIME_MS = 150;
const QUICK_MS = 5;

/**
 * @typedef {object} OperationResult
 * @property {string} title
 * @property {import('../http/statistics.js').Spread} ns median of each round
 * @property {import('../http/statistics.js').Spread | undefined} p99 of calls that are timed one by one
 */

/**
 * @param {number} rounds
 * @param {boolean} quick
 * @returns {Promise<OperationResult[]>}
 */
export async function measureOperations(rounds, quick) {
  const operations = createOperations();
  const medians = operations.map(() => /** @type {number[]} */ ([]));
  const p99s = operations.map(() => /** @type {number[]} */ ([]));
  for (const operation of operations) check(operation);
  for (let round = 0; round < rounds; round++) {
    const order = [...operations.keys()];
    if (round % 2 === 1) order.reverse();
    for (const index of order) {
      const { median, p99 } = await time(operations[index], quick ? QUICK_MS : TIME_MS);
      medians[index].push(median);
      if (p99 !== undefined) p99s[index].push(p99);
    }
  }
  for (const operation of operations) {
    check(operation);
    await operation.end?.();
  }
  return operations.map(({ title }, i) => ({
    title,
    ns: /** @type {import('../http/statistics.js').Spread} */ (spread(medians[i])),
    p99: spread(p99s[i]),
  }));
}

/** @param {import('./operations.js').Operation} operation */
function check({ title, before, run, isRight }) {
  before?.();
  run();
  if (!isRight()) throw new Error(`${title}: the result is wrong.`);
}

/**
 * Measures the nanoseconds of a call.
 * @param {import('./operations.js').Operation} operation
 * @param {number} timeMs
 */
async function time({ title, before, run }, timeMs) {
  const calls = before ? 1 : CALLS;
  const bench = new Bench({ time: timeMs, warmupTime: timeMs / 4, retainSamples: true });
  const many = () => {
    for (let i = 0; i < calls; i++) run();
  };
  bench.add(title, before ? () => void run() : many, before && { beforeEach: before });
  await bench.run();
  const [{ result }] = bench.tasks;
  if (result.state !== 'completed') throw new Error(`${title} did not finish.`);
  const { p50, p99 } = result.latency;
  return { median: (p50 * 1e6) / calls, p99: before && p99 * 1e6 };
}
