// Argument: the number of processes.
import { createFastify, listen } from './fastify-app.js';
import { serveInProcesses } from './processes.js';

const app = await createFastify();
await serveInProcesses(Number(process.argv[2]), app.version, () => listen(app));
