import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The needed parts of a profile by --cpu-prof. Times are microseconds of the monotonic clock, which `process.hrtime` reads in every
 * process.
 * @typedef {object} CpuProfile
 * @property {{ id: number, callFrame: { functionName: string, url: string, lineNumber: number } }[]} nodes
 * @property {number[]} samples ids of nodes
 * @property {number[]} timeDeltas before each sample
 * @property {number} startTime
 */

/** @typedef {{ name: string, where: string, us: number }} SelfTime */

/**
 * Reads the profiles of a process by thread. Node.js names a file CPU.date.time.pid.thread.number.cpuprofile.
 * @param {string} directory
 */
export function readProfiles(directory) {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => ({
      thread: Number(name.split('.')[4]),
      profile: /** @type {CpuProfile} */ (JSON.parse(readFileSync(join(directory, name), 'utf8'))),
    }))
    .sort((a, b) => a.thread - b.thread);
}

/**
 * Returns the self times of functions between two times, longest first.
 * @param {CpuProfile} profile
 * @param {number} fromUs
 * @param {number} toUs
 * @returns {SelfTime[]}
 */
export function selfTimes({ nodes, samples, timeDeltas, startTime }, fromUs, toUs) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  /** @type {Map<string, SelfTime>} */
  const functions = new Map();
  let now = startTime;
  for (const [i, id] of samples.entries()) {
    now += timeDeltas[i];
    // A sample stands for the time until the next one.
    const us = timeDeltas[i + 1] ?? 0;
    if (now < fromUs || now >= toUs) continue;
    const frame = /** @type {CpuProfile['nodes'][0]['callFrame']} */ (frames.get(id));
    const key = `${frame.functionName} ${frame.url} ${frame.lineNumber}`;
    const entry = functions.get(key) ?? { name: frame.functionName || '(anonymous)', where: place(frame), us: 0 };
    entry.us += us;
    functions.set(key, entry);
  }
  return [...functions.values()].sort((a, b) => b.us - a.us);
}

const PACKAGE_ROOT = new URL('../../', import.meta.url).href;

/** @param {{ url: string, lineNumber: number }} frame */
function place({ url, lineNumber }) {
  if (url === '') return '';
  const path = url.startsWith('wasm:') ? 'wasm' : url.replace(PACKAGE_ROOT, '').replace('node_modules/', '');
  return `${path}:${lineNumber + 1}`;
}
