import { createServer } from 'node:http';
import { announce } from '../../http/servers/announce.js';
import { noteThread } from '../../http/thread-roles.js';
import { block, echoServer } from './echo.js';

noteThread('main thread');
const server = createServer((_request, response) => {
  block();
  response.end('done');
});
echoServer({ server });

server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  announce(port, process.versions.node);
});
