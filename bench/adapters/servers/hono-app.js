import { Hono } from 'hono';
import { compute, livez, message } from './routes.js';

export const heavy = new Hono().get('/', (c) => c.json(compute()));

export default new Hono()
  .get('/', (c) => c.json(message()))
  .get('/livez', (c) => c.json(livez()))
  .route('/heavy', heavy);
