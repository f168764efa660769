// Server-side rendering with React on Hono: run `npx loopshard serve examples/ssr/app.js` and open http://127.0.0.1:8000/category/7.
// Rendering blocks the shard that does it for milliseconds; requests such as /livez go to another one meanwhile.
import { text } from 'node:stream/consumers';
import { Hono } from 'hono';
import { createElement } from 'react';
import { renderToReadableStream } from 'react-dom/server.edge';
import { Catalogue } from './page.js';

const app = new Hono();

app.get('/category/:number{[0-9]+}', async (c) => {
  const stream = await renderToReadableStream(createElement(Catalogue, { category: Number(c.req.param('number')) }), {
    onError: (error) => console.error(error),
  });
  // The whole page, so that its length is known. `c.body(stream)` sends its beginning earlier.
  return c.html(await text(stream));
});

app.get('/livez', (c) => c.json({ status: 'ok' }));

export default app;
