import cluster from 'node:cluster';
import { announce } from './announce.js';
import { forkProcesses } from './processes.js';

const PROCESSES = 2;

// Argument: a module that exports createFastify().
const { createFastify } = await import(process.argv[2] ?? './fastify-app.js');

if (cluster.isPrimary) announce((await forkProcesses(PROCESSES)).port, createFastify().version);
else await createFastify().listen({ port: 0, host: '127.0.0.1' });
