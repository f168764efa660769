import Fastify from 'fastify';
import { announce } from './announce.js';
import { makeRows, ROWS_SCHEMA } from './rows.js';

// With the argument "schema", Fastify serializes by the schema.
const options = process.argv[2] === 'schema' ? { schema: { response: { 200: ROWS_SCHEMA } } } : {};
const app = Fastify();
app.get('/', options, () => makeRows());
await app.listen({ port: 0, host: '127.0.0.1' });
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address());
announce(port, app.version);
