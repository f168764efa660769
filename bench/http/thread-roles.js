import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

/*
 * CPU time of servers by the roles of their threads. A thread that has a role records it in a file. Linux only.
 */
const NS_PER_US = 1_000;
const REST = 'rest';

/**
 * Records the role of the calling thread, if the bench wants to know it.
 * @param {string} role
 */
export function noteThread(role) {
  const directory = process.env.THREAD_ROLES;
  if (directory !== undefined && process.platform === 'linux')
    writeFileSync(`${directory}/${basename(readlinkSync('/proc/thread-self'))}`, role);
}

/**
 * Returns the CPU time of a process and its children so far, in microseconds, by the roles of their threads. `rest` is the time of threads
 * without a role, such as garbage collection and compilation.
 * @param {number} pid
 * @param {string} directory files with the roles of threads
 * @returns {Record<string, number>}
 */
export function cpuByRole(pid, directory) {
  const noted = new Set(readdirSync(directory));
  /** @type {Record<string, number>} */
  const us = {};
  for (const thread of threadsOf(pid)) {
    const role = noted.has(thread.id) ? readFileSync(`${directory}/${thread.id}`, 'utf8') : REST;
    us[role] = (us[role] ?? 0) + thread.cpuUs;
  }
  return us;
}

/**
 * @param {number} pid
 * @returns {{ id: string, cpuUs: number }[]}
 */
function threadsOf(pid) {
  const threads = readdirSync(`/proc/${pid}/task`).map((id) => {
    const [ns] = readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ');
    return { id, cpuUs: Number(ns) / NS_PER_US };
  });
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  if (children !== '') for (const child of children.split(' ')) threads.push(...threadsOf(Number(child)));
  return threads;
}
