import { createApp } from 'loopshard';
import { ROWS_SCHEMA } from './rows.js';
import { makeRoutes, summarize } from './sizes.js';

const app = createApp();
for (const { path, handler, hasSchema } of makeRoutes()) {
  app.get(path, hasSchema ? { response: /** @type {object} */ (ROWS_SCHEMA) } : {}, handler);
}
app.post('/post', (req) => summarize(/** @type {Parameters<typeof summarize>[0]} */ (req.json())));

export default app;
