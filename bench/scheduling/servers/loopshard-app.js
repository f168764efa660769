import { createApp } from 'loopshard';
import { Agent } from 'undici';
import { makeRows } from '../../http/servers/rows.js';
import { makeText } from '../../http/servers/sizes.js';
import { MESSAGE } from '../../http/servers/workload.js';
import { readSettings } from './settings.js';
import { answer } from './work.js';

const { iterations, routeOptions = {}, ownHealth, textBytes, downstream } = readSettings();

const app = createApp();
for (const [name, count] of Object.entries(iterations)) {
  app.get(`/${name}`, routeOptions[name] ?? {}, () => answer(name, count));
}
if (!ownHealth) app.get('/livez', () => ({ status: 'ok' }));
if (textBytes) {
  const text = makeText(textBytes);
  app.get('/message', () => ({ message: MESSAGE.message }));
  app.get('/rows', () => makeRows());
  app.get('/text', () => text);
}
if (downstream) {
  // As many connections as calls, so that only the permits limit them.
  const agent = new Agent({ connections: null, pipelining: 1 });
  const { origin, pathname: path } = new URL(downstream);
  app.get('/downstream', routeOptions.downstream ?? {}, async (_req, res) => {
    const { body, statusCode } = await agent.request({ origin, path, method: 'GET' });
    res.status(statusCode).type('application/json');
    return body.bytes();
  });
}

export default app;
