import { createApp } from 'loopshard';

/** Memory that is never freed. */
const leaked = [];

/** The module is loaded again by each reload. */
const loaded = `${performance.timeOrigin}`;

const app = createApp();
app.get('/nonce/:nonce', (req) => `${loaded} ${req.params.nonce}`);
app.get('/work/:us/:nonce', (req) => {
  const end = performance.now() + Number(req.params.us) / 1_000;
  while (performance.now() < end);
  return `${loaded} ${req.params.nonce}`;
});
app.get('/later/:ms/:nonce', async (req) => {
  await new Promise((resolve) => setTimeout(resolve, Number(req.params.ms)));
  return `${loaded} ${req.params.nonce}`;
});
app.get('/leak/:nonce', (req) => {
  leaked.push(Array.from({ length: 200 }, () => ({})));
  return `${loaded} ${req.params.nonce}`;
});
app.get('/loop', () => {
  for (;;);
});
export default app;
