import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startChild } from '../http/children.js';
import { BenchError } from '../http/errors.js';
import { count } from '../http/format.js';

const HOLDER = fileURLToPath(new URL('./holder.js', import.meta.url));

export const HELD_CONNECTIONS = 10_000;

/** What a server and the holder need besides the connections. */
const OTHER_DESCRIPTORS = 500;

/**
 * Node.js raises its limit of descriptors to the hard one by itself.
 * @throws BenchError where that is too low
 */
export function checkDescriptors() {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  const needed = HELD_CONNECTIONS + OTHER_DESCRIPTORS;
  if (stdout.trim() === 'unlimited' || Number(stdout) >= needed) return;
  throw new BenchError(`A process may have ${count(Number(stdout))} descriptors here, and ${count(needed)} are needed:
raise the hard limit (ulimit -Hn ${needed}, as root).`);
}

/**
 * Opens connections from a process of their own, each of which has had an answer, or its beginning.
 * @param {import('../http/server-process.js').RunningServer} server
 * @param {string} [path] that they ask for
 * @returns {Promise<() => Promise<void>>} ends them
 * @throws BenchError of a server that does not take them; the end throws if it has not kept them
 */
export async function hold({ url, peer }, path = '/') {
  const child = startChild(process.execPath, [HOLDER], { messages: true });
  const ask = async (/** @type {number} */ connections) => {
    child.send({ port: Number(new URL(url).port), path, count: connections });
    const [{ lost, error }] = await once(child, 'message');
    if (error) throw new BenchError(`${peer.title} did not take ${count(HELD_CONNECTIONS)} connections: ${error}.`);
    if (lost > 0) throw new BenchError(`${peer.title} has closed ${count(lost)} of them.`);
  };
  await ask(HELD_CONNECTIONS);
  return async () => {
    await ask(0);
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
  };
}
