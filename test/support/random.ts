/** The seed of this run: SEED of the environment, or the clock. Printed, so that a failure can be had again. */
export const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** Random numbers from 0 to 1 (mulberry32). */
export function createRandom(from = seed): () => number {
  let state = from | 0;
  process.stderr.write(`random seed ${from}\n`);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
