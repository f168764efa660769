import Fastify from 'fastify';
import { MESSAGE } from './workload.js';

/**
 * The plain Fastify app of all Fastify servers: no logger, no schema.
 * @param {object} [options] of Fastify
 */
export function createFastify(options) {
  const app = Fastify(options);
  app.get('/', () => ({ message: MESSAGE.message }));
  return app;
}
