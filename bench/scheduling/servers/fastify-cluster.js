import cluster from 'node:cluster';
import { once } from 'node:events';
import { announce } from '../../http/servers/announce.js';
import { createFastify, listen } from './fastify-app.js';
import { answerQuestions, ask, memory } from './questions.js';
import { readSettings } from './settings.js';

if (cluster.isPrimary) {
  const { processes } = readSettings();
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
  announce(address.port, (await createFastify()).version);
} else {
  answerQuestions({ memory });
  await listen(await createFastify());
}
