import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const SAMPLE_MS = 500;

/** More than an idle machine uses. A single core used by other processes changes every ratio. */
const DISTURBED_FROM_CORES = 0.2;

/** Returns how many cores are busy while servers and load generators are idle. */
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
 * @returns {string | undefined} a warning if the machine was busy with other work
 */
export function disturbance(before, after) {
  if (Math.max(before, after) < DISTURBED_FROM_CORES) return undefined;
  return `Other processes kept ${before.toFixed(1)} cores busy before the loads and ${after.toFixed(1)} after them: do not trust
these figures. LoopShard needs its second core; the other servers benefit from a core that never sleeps.`;
}

function cpuTimes() {
  const cores = os.cpus().map(({ times }) => times);
  const idle = cores.reduce((sum, times) => sum + times.idle, 0);
  const total = cores.reduce((sum, { user, nice, sys, idle: rest, irq }) => sum + user + nice + sys + rest + irq, 0);
  return { busy: total - idle, total };
}
