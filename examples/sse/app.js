// Server-Sent Events: run `npx loopshard serve examples/sse/app.js` and open http://127.0.0.1:8000/ in a browser.
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, eventStream } from 'loopshard';
import { page } from './page.js';

const app = createApp();

app.fixed('/', page, { type: 'text/html; charset=utf-8' });

// Counts up, until ?to= if given. A browser that reconnects sends the last number that it received.
app.get('/events', (req, res) => {
  const from = Number(req.header('last-event-id') ?? 0) + 1;
  const to = Number(req.query.to) || Number.POSITIVE_INFINITY;
  const { signal } = req;
  async function* count() {
    for (let number = from; number <= to; number++) {
      yield { id: String(number), data: { number, at: new Date().toISOString() } };
      await sleep(200, undefined, { signal });
    }
    yield { event: 'done', data: 'counted\nto the end' };
  }
  return eventStream(req, res, count());
});

export default app;
