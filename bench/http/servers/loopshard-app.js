import { createApp } from 'loopshard';
import { noteThread } from '../thread-roles.js';
import { MESSAGE } from './workload.js';

noteThread('shard');

const app = createApp();
app.get('/', () => ({ message: MESSAGE.message }));

export default app;
