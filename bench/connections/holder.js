// A process that opens connections on request, keeps them idle or reading a stream, and resets them.
import { once } from 'node:events';
import { connect } from 'node:net';
import { BROWSER_HEADERS } from '../http/servers/workload.js';

/** Number of connections that are opened at the same time: fewer than a server's backlog. */
const OPENING = 200;

const fields = Object.entries({ host: '127.0.0.1', ...BROWSER_HEADERS }).map(
  ([name, value]) => `${name}: ${value}\r\n`,
);

/** @type {import('node:net').Socket[]} */
let held = [];
let lost = 0;

/**
 * Opens a connection and waits for one response, or the beginning of one.
 * @param {number} port
 * @param {string} path
 */
async function openOne(port, path) {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`);
  await once(socket, 'data');
  socket.once('close', () => lost++);
  socket.on('error', () => {});
  held.push(socket);
}

/**
 * @param {number} port
 * @param {string} path
 * @param {number} count
 */
async function open(port, path, count) {
  let left = count;
  const opener = async () => {
    while (left-- > 0) await openOne(port, path);
  };
  await Promise.all(Array.from({ length: OPENING }, opener));
}

/** Resets the connections, so that their ports are free immediately. */
async function release() {
  const before = lost;
  const closed = held.filter((socket) => !socket.closed).map((socket) => once(socket, 'close'));
  for (const socket of held) socket.resetAndDestroy();
  await Promise.all(closed);
  held = [];
  lost = 0;
  return before;
}

process.on('message', async (/** @type {{ port: number, path: string, count: number }} */ { port, path, count }) => {
  try {
    if (count > 0) await open(port, path, count);
    process.send?.({ lost: count > 0 ? lost : await release() });
  } catch (error) {
    process.send?.({ error: /** @type {Error} */ (error).message });
  }
});
process.once('disconnect', () => process.exit(0));
