import Fastify from 'fastify';
import { makeRows, ROWS_SCHEMA } from './rows.js';
import { MESSAGE } from './workload.js';

/** The plain Fastify that both of its servers run: no logger, and a schema only where it says so. */
export function createFastify() {
  const app = Fastify();
  app.get('/', () => ({ message: MESSAGE.message }));
  app.get('/rows', makeRows);
  app.get('/rows-schema', { schema: { response: { 200: ROWS_SCHEMA } } }, makeRows);
  return app;
}
