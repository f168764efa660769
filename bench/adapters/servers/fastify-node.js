import { announce } from '../../http/servers/announce.js';
import app from './fastify-app.js';
import { versionOf } from './version.js';

await app.listen({ port: 0, host: '127.0.0.1' });
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address());
announce(port, versionOf('fastify'));
