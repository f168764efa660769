import { createApp } from 'loopshard';
import { LARGE, MESSAGE } from './answers.js';

const app = createApp();
app.get('/', () => ({ message: MESSAGE.message }));
app.get('/large', () => LARGE);
app.post('/upload', (req) => ({ bytes: req.bytes().length }));

export default app;
