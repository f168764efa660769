import Fastify from 'fastify';
import { makeRows, ROWS_SCHEMA } from './rows.js';
import { ANSWER_BYTES, BODY_LIMIT_BYTES, makeBytes, makeText, ROW_COUNTS, summarize } from './sizes.js';

/** With a response schema, Fastify serializes by fast-json-stringify. */
const SCHEMA = { schema: { response: { 200: ROWS_SCHEMA } } };

/** Fastify with the routes of the workload `sizes`: no logger. */
export function createFastify() {
  const app = Fastify({ bodyLimit: BODY_LIMIT_BYTES });
  for (const [name, size] of Object.entries(ANSWER_BYTES)) {
    const text = makeText(size);
    const bytes = makeBytes(size);
    app.get(`/text/${name}`, () => text);
    app.get(`/bytes/${name}`, () => bytes);
  }
  for (const count of ROW_COUNTS) {
    app.get(`/rows/${count}`, () => makeRows(count));
    app.get(`/rows-schema/${count}`, SCHEMA, () => makeRows(count));
  }
  app.post('/post', (request) => summarize(/** @type {Parameters<typeof summarize>[0]} */ (request.body)));
  return app;
}
