// The upper limit for JavaScript on libuv: one 'data' event in, one write of a prepared buffer out, no parsing.
import { createServer } from 'node:net';
import { announce } from './announce.js';
import { BODY, CONTENT_TYPE } from './workload.js';

const END_OF_HEAD = '\r\n\r\n';

function makeAnswer() {
  const head = [
    'HTTP/1.1 200 OK',
    `content-type: ${CONTENT_TYPE}`,
    `content-length: ${Buffer.byteLength(BODY)}`,
    `date: ${new Date().toUTCString()}`,
    'connection: keep-alive',
  ];
  return Buffer.from(head.join('\r\n') + END_OF_HEAD + BODY);
}

let answer = makeAnswer();
setInterval(() => {
  answer = makeAnswer();
}, 1000);

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    // Clients of this bench neither pipeline nor send bodies, so a request ends with a chunk that ends with an empty line.
    if (chunk.latin1Slice(chunk.length - END_OF_HEAD.length, chunk.length) === END_OF_HEAD) socket.write(answer);
  });
  // Load generators reset their connections when the time is up.
  socket.on('error', () => socket.destroy());
});

server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  announce(port, process.versions.node);
});
