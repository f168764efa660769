/*
 * A process that opens WebSockets and measures echoes. It writes fixed frames and counts bytes, so that it takes less CPU time than any server.
 * Messages from the bench: { type: 'echo' | 'paced' | 'hold' | 'release', … }.
 */
import { once } from 'node:events';
import { connect } from 'node:net';

const PAYLOAD = 'm'.repeat(64);
/** Final text frame, masked with zeros. */
const REQUEST = Buffer.concat([Buffer.from([0x81, 0x80 | PAYLOAD.length, 0, 0, 0, 0]), Buffer.from(PAYLOAD)]);
const RESPONSE = Buffer.concat([Buffer.from([0x81, PAYLOAD.length]), Buffer.from(PAYLOAD)]);
const HEAD_END = '\r\n\r\n';
const HANDSHAKE = [
  'GET / HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  HEAD_END,
]
  .join('\r\n')
  .slice(0, -2);
/** Number of connections that are opened at the same time. */
const OPENING = 100;

/** @type {import('node:net').Socket[]} */
let held = [];

/** @param {number} port */
async function open(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  socket.write(HANDSHAKE);
  const [head] = await once(socket, 'data');
  if (!head.toString().startsWith('HTTP/1.1 101') || !head.toString().endsWith(HEAD_END)) {
    throw new Error(`unexpected response: ${head}`);
  }
  socket.write(REQUEST);
  const [echo] = await once(socket, 'data');
  if (!echo.equals(RESPONSE)) throw new Error(`unexpected echo: ${echo.toString('latin1')}`);
  return socket;
}

/** @param {number} port @param {number} count */
async function openAll(port, count) {
  /** @type {import('node:net').Socket[]} */
  const sockets = [];
  const opener = async () => {
    while (sockets.length + pending < count) {
      pending++;
      const socket = await open(port);
      pending--;
      sockets.push(socket);
    }
  };
  let pending = 0;
  await Promise.all(Array.from({ length: OPENING }, opener));
  return sockets;
}

/** @param {import('node:net').Socket[]} sockets */
async function closeAll(sockets) {
  const closed = sockets.map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.resetAndDestroy();
  await Promise.all(closed);
}

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Each connection sends the next message when it has the echo of the last one. @param {{ port: number, count: number, seconds: number }} plan */
async function echo({ port, count, seconds }) {
  const sockets = await openAll(port, count);
  let bytes = 0;
  for (const socket of sockets) {
    let received = 0;
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      received += chunk.length;
      if (received < RESPONSE.length) return;
      received = 0;
      socket.write(REQUEST);
    });
    socket.write(REQUEST);
  }
  await sleep((seconds * 1_000) / 3);
  const [from, start] = [bytes, performance.now()];
  await sleep(seconds * 1_000);
  const perSecond = ((bytes - from) / RESPONSE.length / (performance.now() - start)) * 1_000;
  const messages = bytes / RESPONSE.length;
  await closeAll(sockets);
  return { perSecond, messages };
}

/**
 * Each connection sends a message in each interval, while another client requests a route that blocks. Latencies count from when the message
 * was due.
 * @param {{ port: number, count: number, seconds: number, intervalMs: number, blockEveryMs: number }} plan
 */
async function paced({ port, count, seconds, intervalMs, blockEveryMs }) {
  const sockets = await openAll(port, count);
  /** @type {number[]} */
  const latencies = [];
  const begin = performance.now() + intervalMs;
  const end = begin + seconds * 1_000;
  for (const [i, socket] of sockets.entries()) {
    let due = begin + (i / count) * intervalMs;
    /** @type {number[]} */
    const sent = [];
    let received = 0;
    socket.on('data', (chunk) => {
      for (received += chunk.length; received >= RESPONSE.length; received -= RESPONSE.length) {
        latencies.push(performance.now() - /** @type {number} */ (sent.shift()));
      }
    });
    const send = () => {
      for (; due <= performance.now(); due += intervalMs) {
        sent.push(due);
        socket.write(REQUEST);
      }
      if (due < end) setTimeout(send, due - performance.now());
    };
    setTimeout(send, due - performance.now());
  }
  /** @type {Promise<string>[]} */
  const blocked = [];
  const blocker = setInterval(() => {
    blocked.push(fetch(`http://127.0.0.1:${port}/block`).then((response) => response.text()));
  }, blockEveryMs);
  await sleep(end - performance.now() + 500);
  clearInterval(blocker);
  await Promise.all(blocked);
  await closeAll(sockets);
  latencies.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => latencies[Math.floor(latencies.length * share)];
  return { p50: at(0.5), p99: at(0.99), messages: latencies.length };
}

const WORK = {
  echo,
  paced,
  /** @param {{ port: number, count: number }} plan */
  async hold({ port, count }) {
    held = await openAll(port, count);
    return {};
  },
  async release() {
    await closeAll(held);
    held = [];
    return {};
  },
};

process.on('message', async (/** @type {any} */ plan) => {
  try {
    process.send?.(await WORK[/** @type {keyof typeof WORK} */ (plan.type)](plan));
  } catch (error) {
    process.send?.({ error: /** @type {Error} */ (error).message });
  }
});
process.once('disconnect', () => process.exit(0));
