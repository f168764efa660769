import { createServer } from 'node:http';
import { announce } from './announce.js';
import { CONTENT_TYPE, MESSAGE } from './workload.js';

const server = createServer((_request, response) => {
  const body = JSON.stringify({ message: MESSAGE.message });
  response.writeHead(200, { 'content-type': CONTENT_TYPE, 'content-length': Buffer.byteLength(body) });
  response.end(body);
});

server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  announce(port, process.versions.node);
});
