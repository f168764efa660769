import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const SAMPLE_MS = 500;

/** More than what a machine at rest does; one core that others keep busy changes every ratio. */
const DISTURBED_FROM_CORES = 0.2;

/** How many cores are busy now, while neither a server nor a load generator has anything to do. */
export async function busyCores() {
  const before = cpuTimes();
  await sleep(SAMPLE_MS);
  const after = cpuTimes();
  const share = (after.busy - before.busy) / (after.total - before.total);
  return share * os.cpus().length;
}

/**
 * @param {number} before busy cores
 * @param {number} after
 * @returns {string | undefined} what to say of a machine that had other things to do
 */
export function disturbance(before, after) {
  if (Math.max(before, after) < DISTURBED_FROM_CORES) return undefined;
  return `Other processes kept ${before.toFixed(1)} cores busy before the loads and ${after.toFixed(1)} after them: do not trust
these figures. LoopShard needs its second core; the others gain from a core that never sleeps.`;
}

function cpuTimes() {
  const cores = os.cpus().map(({ times }) => times);
  const idle = cores.reduce((sum, times) => sum + times.idle, 0);
  const total = cores.reduce((sum, { user, nice, sys, idle: rest, irq }) => sum + user + nice + sys + rest + irq, 0);
  return { busy: total - idle, total };
}
