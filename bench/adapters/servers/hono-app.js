import { Hono } from 'hono';
import { MESSAGE } from '../../http/servers/workload.js';

export default new Hono().get('/', (c) => c.json({ message: MESSAGE.message }));
