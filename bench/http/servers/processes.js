import cluster from 'node:cluster';
import { once } from 'node:events';

/**
 * Starts the processes of a cluster, and waits until they listen. Port 0 is the same free port for all of them.
 * @param {number} processes
 */
export async function forkProcesses(processes) {
  const workers = Array.from({ length: processes }, () => cluster.fork());
  const addresses = await Promise.all(workers.map((worker) => once(worker, 'listening')));
  const [port, ...others] = new Set(addresses.map(([address]) => /** @type {number} */ (address.port)));
  if (others.length > 0) throw new Error(`each process listens on a port of its own: ${port}, ${others.join(', ')}`);
  return { workers, port };
}
