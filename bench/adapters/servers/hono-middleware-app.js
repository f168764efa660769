import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { MESSAGE } from '../../http/servers/workload.js';

/** Middleware sets headers before and after the handler, which makes Hono create its response anew. */
const app = new Hono();
app.use(cors());
app.use(async (c, next) => {
  await next();
  c.header('x-after', '1');
});
app.get('/', (c) => c.json({ message: MESSAGE.message }));

export default app;
