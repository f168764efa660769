// The app of the servers: `/work` takes WORK_MS milliseconds without using the CPU, `/hold` takes a permit until its client disconnects.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from 'loopshard';

const workMs = Number(process.env.WORK_MS);
const app = createApp();

app.get('/work', async () => {
  await sleep(workMs);
  return 'done';
});
app.get('/hold', async ({ signal }) => {
  if (!signal.aborted) await once(signal, 'abort');
  return 'released';
});

export default app;
