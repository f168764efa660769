import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startChild } from './children.js';
import { BenchError } from './errors.js';
import { cpuByRole } from './thread-roles.js';

const SERVERS = new URL('./servers/', import.meta.url);
const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 5_000;

/**
 * A running server.
 * @typedef {object} RunningServer
 * @property {import('./peers.js').Peer} peer
 * @property {string} url
 * @property {string} version
 * @property {string} runtime
 * @property {import('./children.js').Child} child
 * @property {() => Record<string, number> | undefined} cpuUs CPU time of its processes so far, in microseconds, by the roles of their
 * threads; undefined on other systems than Linux
 * @property {() => Promise<void>} stop
 */

/**
 * @param {import('./peers.js').Peer} peer
 * @param {string} runtime the executable
 * @param {string[]} [flags] for the runtime
 * @param {Parameters<typeof startChild>[2]} [options] of the process
 * @returns {Promise<RunningServer>}
 */
export async function startServer(peer, runtime, flags = [], options = {}) {
  const roles = mkdtempSync(join(os.tmpdir(), 'loopshard-bench-'));
  const env = { ...options.env, THREAD_ROLES: roles };
  const args = [...flags, fileURLToPath(new URL(peer.file, SERVERS)), ...peer.args];
  const child = startChild(runtime, args, { ...options, env });
  child.once('close', () => rmSync(roles, { recursive: true, force: true }));
  const ended = once(child, 'exit');
  const announced = await announcement(peer, child, ended);
  const stop = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    child.stdin.end();
    await ended;
    clearTimeout(timer);
  };
  return {
    peer,
    url: `${peer.isSecure ? 'https' : 'http'}://127.0.0.1:${announced.port}/`,
    version: announced.version,
    runtime: announced.runtime,
    child,
    cpuUs: () => (process.platform === 'linux' ? cpuByRole(/** @type {number} */ (child.pid), roles) : undefined),
    stop,
  };
}

/**
 * @param {import('./peers.js').Peer} peer
 * @param {ReturnType<typeof startChild>} child
 * @param {Promise<unknown[]>} ended
 * @returns {Promise<{ port: number, version: string, runtime: string }>}
 */
async function announcement(peer, child, ended) {
  const lines = createInterface({ input: child.stdout });
  const signal = AbortSignal.timeout(START_TIMEOUT_MS);
  const endedEarly = ended.then(([code]) => {
    throw new Error(`it ended with exit code ${code} before it listened`);
  });
  try {
    const [line] = await Promise.race([once(lines, 'line', { signal }), endedEarly]);
    return JSON.parse(line);
  } catch (error) {
    throw new BenchError(`${peer.title} did not start: ${/** @type {Error} */ (error).message}.`);
  }
}
