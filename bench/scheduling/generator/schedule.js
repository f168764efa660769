/**
 * Generates random numbers from 0 to 1 (mulberry32). The same seed gives the same numbers.
 * @param {number} seed
 * @returns {() => number}
 */
export function seededRandom(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Returns when requests of many independent clients are due (a Poisson process), in ms from the start, ascending.
 * @param {number} perSecond
 * @param {number} seconds
 * @param {() => number} random
 */
export function arrivalTimes(perSecond, seconds, random) {
  const times = [];
  let now = 0;
  for (;;) {
    now -= (Math.log(1 - random()) * 1000) / perSecond;
    if (now >= seconds * 1000) return Float64Array.from(times);
    times.push(now);
  }
}

/**
 * Creates a function that draws an index by weight.
 * @param {number[]} weights
 * @param {() => number} random
 * @returns {() => number} an index
 */
export function weightedChoice(weights, random) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return () => {
    let left = random() * total;
    const index = weights.findIndex((weight) => (left -= weight) < 0);
    return index < 0 ? weights.length - 1 : index;
  };
}
