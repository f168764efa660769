import { mulberry32 } from './mulberry.js';

/** The seed of this run: the environment's SEED, or the clock. Printed, so that a failure can be reproduced. */
export const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** Random numbers from 0 to 1. */
export function createRandom(from = seed): () => number {
  process.stderr.write(`random seed ${from}\n`);
  return mulberry32(from);
}
