import { createApp } from 'loopshard';
import { makeRows, ROWS_SCHEMA } from './rows.js';
import { MESSAGE } from './workload.js';

const app = createApp();
app.get('/', () => ({ message: MESSAGE.message }));
app.get('/rows', makeRows);
app.get('/rows-schema', { response: /** @type {object} */ (ROWS_SCHEMA) }, makeRows);

export default app;
