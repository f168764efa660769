// JavaScript on libuv as everybody writes it: one 'data' event in, one write of a prepared buffer out, no parsing.
import { createServer } from 'node:net';
import { announce } from './announce.js';
import { bareAnswer, END_OF_HEAD } from './workload.js';

// Argument: `close` to close the connection after each response.
const [connection = 'keep-alive'] = process.argv.slice(2);
const isClosing = connection === 'close';

let answer = bareAnswer(connection);
setInterval(() => {
  answer = bareAnswer(connection);
}, 1000);

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => {
    if (chunk.latin1Slice(chunk.length - END_OF_HEAD.length, chunk.length) !== END_OF_HEAD) return;
    if (isClosing) socket.end(answer);
    else socket.write(answer);
  });
  // Load generators reset their connections when the time is up.
  socket.on('error', () => socket.destroy());
});

server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  announce(port, process.versions.node);
});
