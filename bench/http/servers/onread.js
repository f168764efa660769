/*
 * The upper limit for JavaScript on libuv: each connection is taken before `net` makes a socket of it, and its socket reads into one
 * buffer that all connections share. One write of a prepared buffer for each read, no parsing.
 */
import { createServer, Socket } from 'node:net';
import { announce } from './announce.js';
import { bareAnswer, END_OF_HEAD } from './workload.js';

// Argument: `close` to close the connection after each response.
const [connection = 'keep-alive'] = process.argv.slice(2);
const isClosing = connection === 'close';

let answer = bareAnswer(connection);
setInterval(() => {
  answer = bareAnswer(connection);
}, 1000);

const shared = Buffer.allocUnsafeSlow(65_536);
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  /** @type {any} */ (server)._handle.onconnection = (/** @type {number} */ _status, /** @type {any} */ handle) => {
    handle.setNoDelay(true);
    const callback = (/** @type {number} */ bytes) => {
      if (shared.latin1Slice(bytes - END_OF_HEAD.length, bytes) !== END_OF_HEAD) return true;
      if (isClosing) socket.end(answer);
      else socket.write(answer);
      return true;
    };
    const socket = new Socket(/** @type {any} */ ({ handle, onread: { buffer: shared, callback } }));
    // Load generators reset their connections when the time is up.
    socket.on('error', () => socket.destroy());
    socket.resume();
  };
  announce(port, process.versions.node);
});
