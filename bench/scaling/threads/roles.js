import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

/*
 * The roles of a server's threads, for bench:threads. A thread records its role in a file when it loads its module. Linux only.
 */
const NS_PER_US = 1_000;

/**
 * Records the role of the calling thread.
 * @param {string} role
 */
export function noteThread(role) {
  const directory = process.env.THREAD_ROLES;
  const thread = basename(readlinkSync('/proc/thread-self'));
  if (directory !== undefined) writeFileSync(`${directory}/${thread}`, role);
}

/**
 * Returns the CPU time of a process so far, in microseconds, by the roles of its threads. `rest` is the time of threads without a role:
 * garbage collection, compilation, and the thread that called `serve()`.
 * @param {number} pid
 * @param {string} directory
 * @returns {Record<string, number>}
 */
export function cpuByRole(pid, directory) {
  const noted = new Set(readdirSync(directory));
  /** @type {Record<string, number>} */
  const us = {};
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const role = noted.has(thread) ? readFileSync(`${directory}/${thread}`, 'utf8') : 'rest';
    const ns = Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    us[role] = (us[role] ?? 0) + ns / NS_PER_US;
  }
  return us;
}
