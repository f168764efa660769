import Fastify from 'fastify';
import { MESSAGE } from './workload.js';

/** The plain Fastify app of both Fastify servers: no logger, no schema. */
export function createFastify() {
  const app = Fastify();
  app.get('/', () => ({ message: MESSAGE.message }));
  return app;
}
