import { createApp } from 'loopshard';
import { makeRows, ROWS_SCHEMA } from './rows.js';
import { ANSWER_BYTES, makeBytes, makeText, ROW_COUNTS, summarize } from './sizes.js';

const app = createApp();
for (const [name, size] of Object.entries(ANSWER_BYTES)) {
  const text = makeText(size);
  const bytes = makeBytes(size);
  app.get(`/text/${name}`, () => text);
  app.get(`/bytes/${name}`, () => bytes);
}
for (const count of ROW_COUNTS) {
  app.get(`/rows/${count}`, () => makeRows(count));
  app.get(`/rows-schema/${count}`, { response: /** @type {object} */ (ROWS_SCHEMA) }, () => makeRows(count));
}
app.post('/post', (req) => summarize(/** @type {Parameters<typeof summarize>[0]} */ (req.json())));

export default app;
