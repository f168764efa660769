import { createApp } from 'loopshard';
import { MESSAGE } from './workload.js';

const app = createApp();
app.get('/', () => ({ message: MESSAGE.message }));

export default app;
