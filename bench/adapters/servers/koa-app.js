import Koa from 'koa';
import { compute, livez, message } from './routes.js';

/** @type {Record<string, () => object>} */
const ROUTES = { '/': message, '/livez': livez, '/heavy': compute };

export const heavy = new Koa();
heavy.use((ctx) => {
  ctx.body = compute();
});

const app = new Koa();
app.use((ctx) => {
  ctx.body = ROUTES[ctx.path]?.();
});

export default app;
