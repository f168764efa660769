import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { buffer } from 'node:stream/consumers';
import { BenchError } from './errors.js';
import { headersFor } from './peers.js';
import { CONTENT_TYPE } from './servers/workload.js';

/** Enough for the connections to reach every process of a cluster. */
const CONNECTIONS = 8;
const REQUESTS_PER_CONNECTION = 3;
const TIMEOUT_MS = 5_000;

/** @typedef {import('./peers.js').Peer} Peer */

/**
 * Sends requests over several persistent connections and compares every complete response with the reference.
 * @param {import('./server-process.js').RunningServer} server
 * @returns {Promise<number>} size of a response in bytes, including the head
 */
export async function checkServer({ peer, url }) {
  try {
    const sizes = (await Promise.all(Array.from({ length: CONNECTIONS }, () => checkConnection(url, peer)))).flat();
    expect('the size of a response', Math.max(...sizes), Math.min(...sizes));
    return sizes[0];
  } catch (error) {
    throw new BenchError(`${peer.title} sends a wrong response: ${/** @type {Error} */ (error).message}.`);
  }
}

/**
 * @param {string} url
 * @param {Peer} peer
 */
async function checkConnection(url, peer) {
  const agent = createAgent(peer);
  const sizes = [];
  let read = 0;
  try {
    for (let i = 0; i < REQUESTS_PER_CONNECTION; i++) {
      const { bytesRead, reused } = await checkAnswer(url, agent, peer);
      expect('keep-alive of the connection', reused, i > 0 && !peer.closes);
      sizes.push(reused ? bytesRead - read : bytesRead);
      read = bytesRead;
    }
  } finally {
    agent.destroy();
  }
  return sizes;
}

/** @param {Peer} peer */
function createAgent({ isSecure }) {
  const options = { keepAlive: true, maxSockets: 1 };
  return isSecure ? new https.Agent({ ...options, rejectUnauthorized: false }) : new http.Agent(options);
}

/**
 * @param {string} url
 * @param {http.Agent} agent
 * @param {Peer} peer
 */
async function checkAnswer(url, agent, peer) {
  const { body, type = CONTENT_TYPE } = peer;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const [response, request] = await ask(url, agent, peer, signal);
  const { socket } = response;
  const received = await buffer(response);
  const [answered, ...parameters] = String(response.headers['content-type']).toLowerCase().split(/; ?/);
  expect('the status', response.statusCode, 200);
  expect('the content-type', answered, type);
  expect('the charset', parameters[0] ?? 'charset=utf-8', 'charset=utf-8');
  expect('the content-length', response.headers['content-length'], String(Buffer.byteLength(body)));
  expect('the body', digest(received), digest(body));
  return { bytesRead: socket.bytesRead, reused: request.reusedSocket };
}

/**
 * @param {string} url
 * @param {http.Agent} agent
 * @param {Peer} peer
 * @param {AbortSignal} signal
 * @returns {Promise<[http.IncomingMessage, http.ClientRequest]>}
 */
async function ask(url, agent, peer, signal) {
  const { post, isSecure } = peer;
  const body = post === undefined ? undefined : readFileSync(post);
  const fields = body && { 'content-type': CONTENT_TYPE, 'content-length': body.length };
  const method = body ? 'POST' : 'GET';
  const { request: send } = isSecure ? https : http;
  const request = send(url, { agent, method, headers: { ...headersFor(peer), ...fields }, signal });
  request.end(body);
  const [response] = await once(request, 'response');
  return [response, request];
}

/**
 * Describes a body by its start, length and hash, because it may have a megabyte.
 * @param {string | Buffer} body
 */
function digest(body) {
  const bytes = Buffer.from(/** @type {string} */ (body));
  const hash = createHash('sha256').update(bytes).digest('hex');
  return `${bytes.toString('latin1', 0, 80)} (${bytes.length} bytes, sha256 ${hash})`;
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
