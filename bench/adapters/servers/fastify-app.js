import fastify from 'fastify';
import { MESSAGE } from '../../http/servers/workload.js';

const app = fastify();
app.get('/', async () => ({ message: MESSAGE.message }));

export default app;
