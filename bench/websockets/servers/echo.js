// What the servers of this bench have in common: they echo messages, and one route computes for a while.
import { WebSocketServer } from 'ws';

const BLOCK_MS = 50;

/** Occupies the thread. */
export function block() {
  const until = performance.now() + BLOCK_MS;
  while (performance.now() < until);
}

/** @param {import('ws').ServerOptions} options */
export function echoServer(options) {
  const server = new WebSocketServer(options);
  server.on('connection', (client) => {
    client.on('error', () => {});
    client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
  });
  return server;
}
