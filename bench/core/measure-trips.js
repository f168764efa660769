import { spread } from '../http/statistics.js';
import { SLOTS } from './echo.js';
import { CONTENDERS } from './trips.js';

/** @typedef {import('../http/statistics.js').Spread} Spread */

/** Round trips of each round. */
const TRIPS = { one: 3_000, many: 60_000 };
const QUICK_TRIPS = { one: 100, many: 1_000 };

/**
 * Results in microseconds, one per round.
 * @typedef {object} TripResult
 * @property {string} id
 * @property {string} title
 * @property {number[]} p50 of one at a time
 * @property {number[]} p99
 * @property {number[]} each with SLOTS in flight
 */

/**
 * Measures one round trip at a time, and as many as there are slots. Each contender has its own thread; all others sleep meanwhile.
 * @param {number} rounds
 * @param {boolean} quick
 * @returns {Promise<TripResult[]>}
 */
export async function measureTrips(rounds, quick) {
  const { one, many } = quick ? QUICK_TRIPS : TRIPS;
  const running = [];
  for (const { id, title, start } of CONTENDERS) {
    const trips = await start();
    /** @type {TripResult} */
    const result = { id, title, p50: [], p99: [], each: [] };
    running.push({ trips, result });
    // Warms up and checks the results.
    await timeOnes(trips, one, id);
    if (trips.many) await timeMany(trips.many, many, id);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { trips, result } of round % 2 === 1 ? running.toReversed() : running) {
      const latencies = await timeOnes(trips, one, result.id);
      result.p50.push(/** @type {Spread} */ (spread(latencies)).median);
      result.p99.push(latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)]);
      if (trips.many) result.each.push(await timeMany(trips.many, many, result.id));
    }
  }
  for (const { trips } of running) await trips.end();
  return running.map(({ result }) => result);
}

/**
 * @param {import('./trips.js').Trips} trips
 * @param {number} count
 * @param {string} id
 */
async function timeOnes(trips, count, id) {
  const latencies = new Array(count);
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    const answer = trips.one(i);
    // A result that is already available is not awaited, because that would cost a turn.
    const value = typeof answer === 'number' ? answer : await answer;
    latencies[i] = (performance.now() - start) * 1_000;
    if (value !== i + 1) throw new Error(`${id}: ${i} came back as ${value}.`);
  }
  return latencies;
}

/**
 * @param {NonNullable<import('./trips.js').Trips['many']>} run
 * @param {number} count
 * @param {string} id
 */
async function timeMany(run, count, id) {
  const start = performance.now();
  const sum = await run(count);
  const us = ((performance.now() - start) * 1_000) / count;
  // Each number below `count` has come back plus one.
  if (sum !== (count * (count + 1)) / 2)
    throw new Error(`${id}: with ${SLOTS} in flight, the values that came back are wrong.`);
  return us;
}
