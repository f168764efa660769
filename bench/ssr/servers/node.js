// The app on the usual server of Hono for Node.js. Argument: number of processes; with one, without node:cluster.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { versionOf } from '../../adapters/servers/version.js';
import { announce } from '../../http/servers/announce.js';
import { answerQuestions, ask, memory } from '../../scheduling/servers/questions.js';

const processes = Number(process.argv[2]);
const version = versionOf('@hono/node-server');

if (processes > 1 && cluster.isPrimary) {
  // Port 0 is the same free port for all processes of a cluster.
  const workers = Array.from({ length: processes }, () => cluster.fork());
  const [[address]] = await Promise.all(workers.map((worker) => once(worker, 'listening')));
  answerQuestions({
    memory: async () => {
      const all = [memory(), ...(await Promise.all(workers.map((worker) => ask(worker, 'memory'))))];
      const sum = (/** @type {'rss' | 'maxRss'} */ name) => all.reduce((total, each) => total + each[name], 0);
      return { rss: sum('rss'), maxRss: sum('maxRss') };
    },
  });
  announce(address.port, version);
} else {
  answerQuestions({ memory });
  const { default: app } = await import('../../../examples/ssr/app.js');
  serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
    if (cluster.isPrimary) announce(port, version);
  });
}
