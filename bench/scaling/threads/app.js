import { createApp } from 'loopshard';
import { MESSAGE } from '../../http/servers/workload.js';
import { noteThread } from '../../http/thread-roles.js';

noteThread('shards');
export default createApp().get('/', () => ({ message: MESSAGE.message }));
