import Fastify from 'fastify';
import { announce } from '../../http/servers/announce.js';
import { ALIVE, KEEP_ALIVE_TIMEOUT_MS, LARGE, MESSAGE } from './answers.js';
import { connectionCount } from './connection-count.js';
import { sendEvents } from './node-events.js';
import { answerBench } from './questions.js';

const app = Fastify({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS });
app.get('/', () => ({ message: MESSAGE.message }));
app.get('/large', () => LARGE);
app.get('/events', (_request, reply) => {
  reply.hijack();
  sendEvents(reply.raw);
});
app.get('/livez', () => ALIVE);
app.post('/upload', (request) => ({ bytes: Buffer.byteLength(/** @type {string} */ (request.body)) }));

await app.listen({ port: 0, host: '127.0.0.1' });
const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address());
answerBench({ connections: () => connectionCount(app.server) });
announce(port, app.version);
