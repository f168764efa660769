import { setTimeout as sleep } from 'node:timers/promises';
import { createApp, eventStream } from 'loopshard';
import { EVENT_MS, event, LARGE, MESSAGE } from './answers.js';

const app = createApp();
app.get('/', () => ({ message: MESSAGE.message }));
app.get('/large', () => LARGE);
app.post('/upload', (req) => ({ bytes: req.bytes().length }));
app.get('/events', (req, res) => eventStream(req, res, events(req.signal)));

/** @param {AbortSignal} signal */
async function* events(signal) {
  for (;;) {
    yield event();
    await sleep(EVENT_MS, undefined, { signal });
  }
}

export default app;
