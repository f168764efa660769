import cluster from 'node:cluster';
import { once } from 'node:events';

/**
 * Starts the processes of a cluster, and waits until they listen. Port 0 is the same free port for all of them.
 * @param {number} processes
 */
export async function forkProcesses(processes) {
  const workers = Array.from({ length: processes }, () => cluster.fork());
  const [[address]] = await Promise.all(workers.map((worker) => once(worker, 'listening')));
  return { workers, port: /** @type {number} */ (address.port) };
}
