import { connect } from 'node:net';
import { get } from './client.js';
import { Program } from './process.js';

/** How much a slow reader reads before it pauses, and for how long. */
const STRIDE_BYTES = 8 * 2 ** 20;
const REST_MS = 10;

/** A server in its own process, and how much its memory grows. */
export async function grownBytes(use: (port: number) => Promise<void>, fixture = 'streams.js'): Promise<number> {
  const program = new Program(process.execPath, ['--expose-gc', 'test/fixtures/watched-server.js', fixture]);
  try {
    const [, port] = await program.printed(/port (\d+)/);
    await use(Number(port));
    program.child.kill('SIGTERM');
    const [, grown, free, total] = await program.printed(/grown by (\d+) bytes; \{"free":(\d+),"total":(\d+)\}/);
    if (free !== total) throw new Error(`${Number(total) - Number(free)} slots have leaked`);
    return Number(grown);
  } finally {
    program.child.kill('SIGKILL');
  }
}

/** Reads a streamed response, pausing now and then. Resolves with the number of bytes received, including head and framing. */
export function readSlowly(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let received = 0;
    let rested = 0;
    socket.write(get(path, 'Connection: close'));
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received - rested < STRIDE_BYTES) return;
      rested = received;
      socket.pause();
      setTimeout(() => socket.resume(), REST_MS);
    });
    socket.on('error', reject);
    socket.on('end', () => {
      socket.destroy();
      resolve(received);
    });
  });
}

/** Sends a body of this many bytes as fast as the server accepts it. Resolves with the response body. */
export function upload(port: number, path: string, bytes: number): Promise<string> {
  const chunk = Buffer.alloc(STRIDE_BYTES / 8, 'u');
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let sent = 0;
    const send = () => {
      while (sent < bytes) {
        const piece = chunk.subarray(0, bytes - sent);
        sent += piece.length;
        if (!socket.write(piece)) return;
      }
    };
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`);
    socket.on('drain', send);
    send();
    let response = '';
    socket.on('data', (data) => {
      response += data;
    });
    socket.on('error', reject);
    socket.on('end', () => {
      socket.destroy();
      resolve(response.slice(response.indexOf('\r\n\r\n') + 4));
    });
  });
}
