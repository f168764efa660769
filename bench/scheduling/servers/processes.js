import cluster from 'node:cluster';
import { announce } from '../../http/servers/announce.js';
import { forkProcesses } from '../../http/servers/processes.js';
import { answerQuestions, ask, memory } from './questions.js';

/**
 * Serves from this process or, with several, from the processes of a cluster, and announces the port.
 * @param {number} processes with one, without node:cluster
 * @param {string} version
 * @param {() => Promise<number>} listen on port 0 of 127.0.0.1; resolves with the port
 */
export async function serveInProcesses(processes, version, listen) {
  if (processes > 1 && cluster.isPrimary) {
    const { workers, port } = await forkProcesses(processes);
    answerQuestions({
      memory: async () => {
        const all = [memory(), ...(await Promise.all(workers.map((worker) => ask(worker, 'memory'))))];
        const sum = (/** @type {'rss' | 'maxRss'} */ name) => all.reduce((total, each) => total + each[name], 0);
        return { rss: sum('rss'), maxRss: sum('maxRss') };
      },
    });
    announce(port, version);
  } else {
    answerQuestions({ memory });
    const port = await listen();
    if (cluster.isPrimary) announce(port, version);
  }
}
