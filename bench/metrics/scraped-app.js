import { createApp } from 'loopshard';

/* Fifty routes. */
const app = createApp();
for (let i = 0; i < 50; i++) app.get(`/route/${i}`, () => ({ i }));

export default app;
