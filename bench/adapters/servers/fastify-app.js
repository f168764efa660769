import fastify from 'fastify';
import { compute, livez, message } from './routes.js';

/** @param {import('fastify').FastifyInstance} app */
async function heavyRoutes(app) {
  app.get('/', async () => compute());
}

export const heavy = fastify();
heavy.register(heavyRoutes);

const app = fastify();
app.get('/', async () => message());
app.get('/livez', async () => livez());
app.register(heavyRoutes, { prefix: '/heavy' });

export default app;
