import http from 'node:http';
import https from 'node:https';
import { announce } from './announce.js';
import { CERTIFICATE } from './certificate.js';
import { CONTENT_TYPE, MESSAGE } from './workload.js';

/** @type {http.RequestListener} */
const respond = (_request, response) => {
  const body = JSON.stringify({ message: MESSAGE.message });
  response.writeHead(200, { 'content-type': CONTENT_TYPE, 'content-length': Buffer.byteLength(body) });
  response.end(body);
};
// Argument: `tls`, or nothing.
const server = process.argv[2] === 'tls' ? https.createServer(CERTIFICATE, respond) : http.createServer(respond);

server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  announce(port, process.versions.node);
});
