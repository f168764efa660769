// The handler that @astrojs/node builds in the mode `middleware`, as its documentation serves it.
import express from 'express';
import { handler } from './dist/server/entry.mjs';

const app = express();
app.disable('x-powered-by');
app.use(express.static('dist/client/'));
app.use(handler);

export default app;
