import Koa from 'koa';
import { MESSAGE } from '../../http/servers/workload.js';

const app = new Koa();
app.use((ctx) => {
  ctx.body = { message: MESSAGE.message };
});

export default app;
