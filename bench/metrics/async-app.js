import { setImmediate as turn } from 'node:timers/promises';
import { createApp } from 'loopshard';
import { MESSAGE } from '../http/servers/workload.js';

/* The same response as loopshard-app.js, after the handler has waited for a turn of the event loop. */
const app = createApp();
app.get('/', async () => {
  await turn();
  return { message: MESSAGE.message };
});

export default app;
