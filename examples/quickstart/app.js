// The app that `npm start` serves. Every shard imports this module and runs its handlers on its own event loop.
import { pbkdf2Sync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApp } from 'loopshard';
import { page } from './page.js';

const app = createApp();

app.get('/', (_req, res) => {
  res.type('text/html; charset=utf-8');
  return page;
});

// An object becomes JSON. While an async handler waits, other requests are processed.
app.get('/async', async () => {
  await sleep(10);
  return { ok: true, handler: 'async' };
});

app.get('/sync', () => ({ ok: true, handler: 'sync' }));

// Work that would block a server with a single event loop. ?rounds= makes it longer.
app.get('/compute', (req) => {
  const rounds = Math.min(Math.max(Number(req.query.rounds) || 10_000, 1), 2_000_000);
  const key = pbkdf2Sync('correct horse battery staple', 'salt', rounds, 32, 'sha256');
  return { rounds, key: key.toString('hex') };
});

// Blocks its shard, as any long computation would. Other shards serve the other requests meanwhile.
const BLOCK_MS = 3_000;
app.get('/block', () => {
  const end = performance.now() + BLOCK_MS;
  while (performance.now() < end);
  return { blockedMs: BLOCK_MS };
});

app.get('/json', () => ({
  message: 'Hello, World!',
  numbers: [1, 2.5, -0, 1e21],
  nested: { yes: true, nothing: null, text: 'a "quoted" line\n' },
}));

// Bytes are sent unchanged.
const raw = new TextEncoder().encode('{"already":"bytes"}');
app.get('/raw', (_req, res) => {
  res.type('application/json');
  return raw;
});

app.get('/users/:id', (req) => ({ id: req.params.id, name: `User ${req.params.id}` }));

app.post('/echo', (req, res) => {
  res.type(req.header('content-type') ?? 'application/octet-stream');
  return req.bytes();
});

app.get('/health', () => ({ status: 'ok' }));

export default app;
