import { createApp } from 'loopshard';

const app = createApp();
app.get('/json', () => ({ message: 'Hello, World!' }));
app.get('/async', async () => ({ ok: true }));
app.get('/users/:id', (req) => ({ id: req.params.id, query: req.query, h: req.headers() }));
app.post('/echo', (req, res) => {
  res.header('content-type', req.header('content-type') ?? 'text/plain');
  return req.bytes();
});
app.get('/throw', () => {
  throw new Error('no');
});
app.get('/exit', () => {
  process.exit(3);
});
app.get('/stall', () => {
  const t = Date.now();
  while (Date.now() - t < 2000);
  return 'done';
});
app.get('/inject', (req, res) => {
  res.header('x', 'a\r\nb: c');
  return 'x';
});
app.get('/big', () => Buffer.alloc(5e6, 97));
app.get('/bigint', () => ({ a: 1n }));
app.get('/none', () => undefined);
export default app;
