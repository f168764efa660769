/* Compares the CPU time of a request on two servers that take turns. It includes all threads of a server and none of wrk. Linux only. */
import { readFileSync } from 'node:fs';
import { startServer } from './server-process.js';
import { BODY } from './servers/workload.js';
import { spread } from './statistics.js';
import { runWrk } from './wrk.js';

/** @typedef {import('./server-process.js').RunningServer} RunningServer */
/** @typedef {import('./statistics.js').Spread} Spread */
/** @typedef {{ rounds: number, seconds: number, connections: number }} Load */

const WARM_UP_SECONDS = 3;
/** Linux counts CPU time in ticks of 10 ms. */
const US_PER_TICK = 10_000;

/** @param {number[]} values @returns {Spread} */
export function spreadOf(values) {
  return /** @type {Spread} */ (spread(values));
}

/**
 * Starts a server of LoopShard that responds with the standard body.
 * @param {string} app
 * @param {object} options of `serve()`
 */
export function startLoopShard(app, options) {
  const args = [app, JSON.stringify(options)];
  return startServer({ id: app, title: app, file: 'loopshard.js', args, body: BODY, skips: [] }, process.execPath);
}

/**
 * @param {RunningServer} first
 * @param {RunningServer} second
 * @param {Load} load
 * @returns {Promise<{ first: Spread, second: Spread, ratio: Spread }>} CPU time per request in µs, and the second by the first within a round
 */
export async function compareCpu(first, second, { rounds, seconds, connections }) {
  const measure = (/** @type {RunningServer} */ server) => measureCpu(server, connections, seconds);
  for (const server of [first, second]) {
    const text = await (await fetch(server.url)).text();
    if (text !== BODY) throw new Error(`unexpected response: ${text}`);
    await runWrk(server, connections, WARM_UP_SECONDS);
  }
  /** @type {[number, number][]} */
  const pairs = [];
  for (let round = 0; round < rounds; round++) {
    // Every other round runs in reverse order, so that a machine that slows down meanwhile favours neither.
    if (round % 2 === 0) {
      const of = await measure(first);
      pairs.push([of, await measure(second)]);
    } else {
      const of = await measure(second);
      pairs.push([await measure(first), of]);
    }
  }
  return {
    first: spreadOf(pairs.map(([of]) => of)),
    second: spreadOf(pairs.map(([, of]) => of)),
    ratio: spreadOf(pairs.map(([one, other]) => other / one)),
  };
}

/** @param {number} ratio */
export function percent(ratio) {
  return `${((ratio - 1) * 100).toFixed(1)} %`;
}

/** @param {RunningServer} server @param {number} connections @param {number} seconds */
async function measureCpu(server, connections, seconds) {
  const before = cpuUs(server);
  const { requests, errors } = await runWrk(server, connections, seconds);
  if (Object.values(errors).some((count) => count > 0)) throw new Error(`errors under load: ${JSON.stringify(errors)}`);
  return (cpuUs(server) - before) / requests;
}

/** CPU time that all threads of a process have used. @param {RunningServer} server */
function cpuUs({ child }) {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}
