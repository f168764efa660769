// The same pages on shards of their own, so that they never delay other routes. Run:
// npx loopshard serve examples/ssr/with-groups.js --groups default=1,pages=2
import { createApp } from 'loopshard';
import { fromFetch } from 'loopshard/adapters';
import pages from './app.js';

const app = createApp();

app.get('/livez', () => ({ status: 'ok' }));
app.mount('/', fromFetch(pages, { group: 'pages' }));

export default app;
