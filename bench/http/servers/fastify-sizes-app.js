import Fastify from 'fastify';
import { ROWS_SCHEMA } from './rows.js';
import { BODY_LIMIT_BYTES, makeRoutes, summarize } from './sizes.js';

/** With a response schema, Fastify serializes by fast-json-stringify. */
const SCHEMA = { schema: { response: { 200: ROWS_SCHEMA } } };

/** Fastify with the routes of the workload `sizes`: no logger. */
export function createFastify() {
  const app = Fastify({ bodyLimit: BODY_LIMIT_BYTES });
  for (const { path, handler, hasSchema } of makeRoutes()) app.get(path, hasSchema ? SCHEMA : {}, handler);
  app.post('/post', (request) => summarize(/** @type {Parameters<typeof summarize>[0]} */ (request.body)));
  return app;
}
