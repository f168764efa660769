import cluster from 'node:cluster';
import { once } from 'node:events';
import { announce } from './announce.js';

const PROCESSES = 2;

// Argument: a module that exports createFastify().
const { createFastify } = await import(process.argv[2] ?? './fastify-app.js');

if (cluster.isPrimary) {
  // Port 0 is the same free port for all processes of a cluster.
  const workers = Array.from({ length: PROCESSES }, () => cluster.fork());
  const [[address]] = await Promise.all(workers.map((worker) => once(worker, 'listening')));
  announce(address.port, createFastify().version);
} else {
  await createFastify().listen({ port: 0, host: '127.0.0.1' });
}
