import { appendFileSync } from 'node:fs';

/** Notes for the command that LoopShard has taken part in the run. */
export function note() {
  appendFileSync(/** @type {string} */ (process.env.LOOPSHARD_COMPAT_USED), '.');
}
