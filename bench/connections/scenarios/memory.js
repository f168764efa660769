import { once } from 'node:events';
import http from 'node:http';
import { count } from '../../http/format.js';
import { startServer } from '../../http/server-process.js';
import { BODY } from '../../http/servers/workload.js';
import { ask } from '../../scheduling/servers/questions.js';
import { checkDescriptors, HELD_CONNECTIONS, hold } from '../held-connections.js';
import { VARIANTS } from '../variants.js';

const WARM_UP_REQUESTS = 5_000;

/**
 * Measures the resident memory of an idle connection. Each measurement uses a new process, because processes do not return memory.
 * @returns {import('../../scheduling/scenario.js').Scenario}
 */
export function memory() {
  return {
    name: 'memory',
    title: `resident memory of ${count(HELD_CONNECTIONS)} idle keep-alive connections`,
    works: {},
    variants: VARIANTS,
    phases: [''],
    rounds: 3,
    seconds: 1,
    load: {
      title: `${count(HELD_CONNECTIONS)} connections, each of which has had one response; a new process that has served ${count(WARM_UP_REQUESTS)}
            requests; garbage is collected before each reading`,
      run: (server) => measure(server.peer),
    },
    before: async () => {
      checkDescriptors();
      return { settings: {}, answers: { '': { body: BODY } }, stop: async () => {} };
    },
    columns: [
      { head: 'RSS without them, MiB', figure: 'restBytes', format: 'MiB' },
      { head: 'with them, MiB', figure: 'idleBytes', format: 'MiB' },
      { head: 'bytes per connection', figure: 'perConnection', format: 'count' },
    ],
    judge: () => [],
    progress: ({ perConnection }) => `${count(perConnection)} bytes per connection`,
  };
}

/** @param {import('../../http/peers.js').Peer} peer */
async function measure(peer) {
  const server = await startServer(peer, process.execPath, ['--expose-gc'], { messages: true });
  await warmUp(server.url);
  const restBytes = await ask(server.child, 'memory');
  const release = await hold(server);
  const idleBytes = await ask(server.child, 'memory');
  await release();
  await server.stop();
  return { restBytes, idleBytes, perConnection: (idleBytes - restBytes) / HELD_CONNECTIONS };
}

/** @param {string} url */
async function warmUp(url) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < WARM_UP_REQUESTS; i++) {
    const [response] = await once(http.get(url, { agent }), 'response');
    await once(response.resume(), 'end');
  }
  agent.destroy();
}
