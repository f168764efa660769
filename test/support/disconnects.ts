import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import type { ServeOptions } from 'loopshard';
import { Parsers } from '../../build/src/http/parser/llhttp.js';
import { serve } from '../../build/src/index.js';
import { get, post } from './client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './server.js';

const AT_ONCE = 32;
const requests = [
  get('/json'),
  get('/sync/nonce', 'X-Test: value'),
  get('/later/1/nonce'),
  get('/large/20000'),
  get('/large/300000'),
  post('/echo', 'some body').toString(),
  'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  'POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc',
  'GET http://other/json HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /json HTTP/1.1\r\n\r\n',
].map((text) => Buffer.from(text));

/** Starts a server whose parsers `watchParsers` can see. */
export function startWatched(options: ServeOptions = {}): Promise<TestServer> {
  return startServer({ ...ONE_HTTP_THREAD, ...options }, 'app.js', serve);
}

/** The parsers of the servers started with `startWatched` from now on. */
export function watchParsers(): Set<Parsers> {
  const seen = new Set<Parsers>();
  const { instance } = Parsers.prototype;
  Parsers.prototype.instance = function (this: Parsers) {
    seen.add(this);
    return instance.call(this);
  };
  return seen;
}

/** Open descriptors of this process, where the system reports them. */
function countDescriptors(): number {
  return process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
}

/** A client that disconnects at some byte of its requests or of their responses. Resolves once its socket is closed. */
function leaveSomewhere(port: number, random: () => number): Promise<void> {
  const pick = () => requests[Math.floor(random() * requests.length)];
  const bytes = Buffer.concat(Array.from({ length: 1 + Math.floor(random() * 3) }, pick));
  const inRequest = random() < 0.5;
  const sent = inRequest ? Math.floor(random() * bytes.length) : bytes.length;
  // The shortest responses have about 150 bytes.
  const wanted = Math.floor(random() < 0.5 ? random() * 150 : random() * 20_000);
  const reset = random() < 0.7;
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const leave = () => (reset ? socket.resetAndDestroy() : socket.destroy());
    let seen = 0;
    socket.on('error', () => {});
    socket.once('close', () => resolve());
    // If the request is rejected or the response is shorter, the connection ends without us.
    socket.once('end', () => socket.destroy());
    socket.once('connect', () => {
      if (inRequest) socket.write(bytes.subarray(0, sent), leave);
      else socket.end(bytes);
    });
    socket.on('data', (chunk) => {
      seen += chunk.length;
      if (!inRequest && seen >= wanted) leave();
    });
  });
}

/**
 * Runs many clients that disconnect at random places.
 * @throws if a descriptor, a slot, a permit or a parser leaks
 */
export async function disconnectMany(
  running: TestServer,
  parsers: Set<Parsers>,
  count: number,
  random: () => number,
): Promise<void> {
  const before = countDescriptors();
  let left = count;
  const worker = async () => {
    while (left-- > 0) await leaveSomewhere(running.port, random);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await until(() => running.server.stats().connections === 0, 'the end of all connections');
  await expectConserved(running);
  await until(() => countDescriptors() <= before, 'the return of every descriptor');
  const open = [...parsers].reduce((sum, { open }) => sum + open, 0);
  if (parsers.size === 0 || open > 0) throw new Error(`${open} parsers have leaked`);
}
