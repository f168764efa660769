// An app on the usual server of its framework. Arguments: the framework, the URL of the app's module, the number of processes.
import { once } from 'node:events';
import { versionOf } from '../../http/servers/version.js';
import { serveInProcesses } from '../../scheduling/servers/processes.js';

/** @typedef {import('node:http').Server} Server */

const [framework, module, processes] = process.argv.slice(2);
const HOST = '127.0.0.1';

/** How an app listens, and the package that does it if it is not the framework's. */
/** @type {Record<string, { server?: string, listen: (app: any) => Promise<Server> }>} */
const FRAMEWORKS = {
  express: { listen: async (app) => app.listen(0, HOST) },
  koa: { listen: async (app) => app.listen(0, HOST) },
  fastify: {
    listen: async (app) => {
      await app.listen({ port: 0, host: HOST });
      return app.server;
    },
  },
  hono: {
    server: '@hono/node-server',
    listen: async ({ fetch }) => {
      const { serve } = await import('@hono/node-server');
      return /** @type {Server} */ (serve({ fetch, port: 0, hostname: HOST }));
    },
  },
  h3: {
    server: 'srvx',
    listen: async (app) => {
      const { serve } = await import('srvx');
      const fetch = (/** @type {Request} */ request) => app.fetch(request);
      // By default each process of a cluster gets a port of its own.
      const node = { exclusive: false };
      return /** @type {Server} */ (serve({ fetch, port: 0, hostname: HOST, silent: true, node }).node?.server);
    },
  },
};

const { server: separate, listen } = FRAMEWORKS[framework];
const version = versionOf(framework) + (separate ? ` (${separate} ${versionOf(separate)})` : '');

await serveInProcesses(Number(processes), version, async () => {
  const { default: app } = await import(module);
  const server = await listen(app);
  if (!server.listening) await once(server, 'listening');
  return /** @type {import('node:net').AddressInfo} */ (server.address()).port;
});
