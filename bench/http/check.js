import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { BenchError } from './errors.js';
import { BROWSER_HEADERS, CONTENT_TYPE } from './servers/workload.js';

/** Enough for the connections to reach every process of a cluster. */
const CONNECTIONS = 8;
const REQUESTS_PER_CONNECTION = 3;
const TIMEOUT_MS = 5_000;

/**
 * Asks a server over several kept-alive connections and holds every answer against the reference.
 * @param {import('./server-process.js').RunningServer} server
 * @returns {Promise<number>} bytes of one answer, head included
 */
export async function checkServer({ peer, url }) {
  try {
    const sizes = (
      await Promise.all(Array.from({ length: CONNECTIONS }, () => checkConnection(url, peer.body)))
    ).flat();
    expect('the bytes of an answer', Math.max(...sizes), Math.min(...sizes));
    return sizes[0];
  } catch (error) {
    throw new BenchError(`${peer.title} answers wrong: ${/** @type {Error} */ (error).message}.`);
  }
}

/**
 * @param {string} url
 * @param {string} body
 */
async function checkConnection(url, body) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const sizes = [];
  let read = 0;
  try {
    for (let i = 0; i < REQUESTS_PER_CONNECTION; i++) {
      const { bytesRead, reused } = await checkAnswer(url, agent, body);
      expect('keep-alive of the connection', reused, i > 0);
      sizes.push(bytesRead - read);
      read = bytesRead;
    }
  } finally {
    agent.destroy();
  }
  return sizes;
}

/**
 * @param {string} url
 * @param {http.Agent} agent
 * @param {string} expected
 */
async function checkAnswer(url, agent, expected) {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const request = http.get(url, { agent, headers: BROWSER_HEADERS, signal });
  const [response] = await once(request, 'response');
  const { socket } = response;
  const body = await text(response);
  const [type, ...parameters] = String(response.headers['content-type']).toLowerCase().split(/; ?/);
  expect('the status', response.statusCode, 200);
  expect('the content-type', type, CONTENT_TYPE);
  expect('the charset', parameters[0] ?? 'charset=utf-8', 'charset=utf-8');
  expect('the content-length', response.headers['content-length'], String(Buffer.byteLength(expected)));
  expect('the body', body, expected);
  return { bytesRead: socket.bytesRead, reused: request.reusedSocket };
}

/**
 * @param {string} what
 * @param {unknown} actual
 * @param {unknown} expected
 */
function expect(what, actual, expected) {
  if (actual === expected) return;
  throw new Error(`${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}
