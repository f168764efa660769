import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startChild } from '../http/children.js';
import { BenchError } from '../http/errors.js';
import { count } from '../http/format.js';

const HOLDER = fileURLToPath(new URL('./holder.js', import.meta.url));

export const HELD_CONNECTIONS = 10_000;

/** File descriptors that the server or the holder needs in addition to those of the connections. */
const OTHER_DESCRIPTORS = 500;

/**
 * Checks the limit of descriptors. Node.js raises the soft limit to the hard one itself.
 * @throws BenchError if the limit is too low
 */
export function checkDescriptors() {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  const needed = HELD_CONNECTIONS + OTHER_DESCRIPTORS;
  if (stdout.trim() === 'unlimited' || Number(stdout) >= needed) return;
  throw new BenchError(`A process may open ${count(Number(stdout))} file descriptors here, but ${count(needed)} are needed.
Raise the hard limit (ulimit -Hn ${needed}, as root).`);
}

/**
 * Opens connections from a separate process. Each has received a response, or the beginning of one.
 * @param {import('../http/server-process.js').RunningServer} server
 * @param {string} [path] path to request
 * @returns {Promise<() => Promise<void>>} ends the connections
 * @throws BenchError if the server does not accept them; the returned function throws if it has not kept them
 */
export async function hold({ url, peer }, path = '/') {
  const child = startChild(process.execPath, [HOLDER], { messages: true });
  const ask = async (/** @type {number} */ connections) => {
    child.send({ port: Number(new URL(url).port), path, count: connections });
    const [{ lost, error }] = await once(child, 'message');
    if (error) throw new BenchError(`${peer.title} did not accept ${count(HELD_CONNECTIONS)} connections: ${error}.`);
    if (lost > 0) throw new BenchError(`${peer.title} has closed ${count(lost)} of the connections.`);
  };
  await ask(HELD_CONNECTIONS);
  return async () => {
    await ask(0);
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
  };
}
