import { announce } from './announce.js';

// Argument: a module that exports createFastify().
const { createFastify } = await import(process.argv[2] ?? './fastify-app.js');
const app = createFastify();
await app.listen({ port: 0, host: '127.0.0.1' });
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address());
announce(port, app.version);
