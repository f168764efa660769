import { createApp } from 'loopshard';
import { noteThread } from '../../http/thread-roles.js';
import { block, echoServer } from './echo.js';

noteThread('shards');
const sockets = echoServer({ noServer: true });

const app = createApp();
app.get('/block', () => {
  block();
  return 'done';
});
app.upgrade('/', { group: 'live' }, (request, socket, head) => {
  sockets.handleUpgrade(request, /** @type {import('node:stream').Duplex} */ (socket), head, (client) =>
    sockets.emit('connection', client, request),
  );
});

export default app;
