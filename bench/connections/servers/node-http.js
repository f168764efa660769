import { createServer } from 'node:http';
import { announce } from '../../http/servers/announce.js';
import { ALIVE, CONTENT_TYPE, KEEP_ALIVE_TIMEOUT_MS, LARGE, MESSAGE } from './answers.js';
import { connectionCount } from './connection-count.js';
import { sendEvents } from './node-events.js';
import { answerBench } from './questions.js';

/**
 * @param {import('node:http').ServerResponse} response
 * @param {string} type
 * @param {string | Buffer} body
 */
function send(response, type, body) {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
function upload(request, response) {
  let bytes = 0;
  request.on('data', (chunk) => {
    bytes += chunk.length;
  });
  request.on('end', () => send(response, CONTENT_TYPE, JSON.stringify({ bytes })));
}

const server = createServer((request, response) => {
  if (request.url === '/') send(response, CONTENT_TYPE, JSON.stringify({ message: MESSAGE.message }));
  else if (request.url === '/large') send(response, 'application/octet-stream', LARGE);
  else if (request.url === '/livez') send(response, CONTENT_TYPE, JSON.stringify(ALIVE));
  else if (request.url === '/events') sendEvents(response);
  else if (request.method === 'POST') upload(request, response);
  else response.writeHead(404).end();
});
server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;

server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  answerBench({ connections: () => connectionCount(server) });
  announce(port, process.versions.node);
});
