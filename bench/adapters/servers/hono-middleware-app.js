import { Hono } from 'hono';
import { cors } from 'hono/cors';
import app from './hono-app.js';

/** Middleware sets headers before and after the handler, which makes Hono create its response anew. */
export default new Hono()
  .use(cors())
  .use(async (c, next) => {
    await next();
    c.header('x-after', '1');
  })
  .route('/', app);
