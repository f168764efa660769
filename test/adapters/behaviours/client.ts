import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, request as send } from 'node:http';
import { connect, type Socket } from 'node:net';
import { splitResponses } from './split-responses.js';

/** A request for both servers. */
export interface Ask {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  /** An array is sent in chunks. */
  body?: string | Uint8Array | (string | Uint8Array)[];
  trailers?: Record<string, string>;
}

/** A response as it was received. */
export interface Answer {
  /** Statuses and headers of 1xx responses. */
  interim: (string | string[])[][];
  /** The status line, or the code of the error if there is no response. */
  status: string;
  /** Names and values, as on the connection. */
  headers: string[];
  body: string;
  trailers: string[];
  /** Whether all of it was received. */
  isComplete: boolean;
}

/** In bytes. */
const LONGEST_SHOWN = 10_000;

const agent = new Agent({ keepAlive: true });

/** Closes the connections that are kept. */
export function closeConnections(): void {
  agent.destroy();
}

/** Sends a request with the client of Node.js. The answer has `PORT` in place of the port. */
export async function ask(port: number, given: Ask): Promise<Answer> {
  const interim: Answer['interim'] = [];
  const response = await new Promise<IncomingMessage | NodeJS.ErrnoException>((resolve) => {
    const { method = 'GET', path, headers = {}, body, trailers } = given;
    const chunks = Array.isArray(body) ? body : [];
    const whole = Array.isArray(body) ? undefined : body;
    const length = whole === undefined ? {} : { 'content-length': Buffer.byteLength(whole) };
    const sent = send({ port, host: '127.0.0.1', method, path, headers: { ...headers, ...length }, agent }, resolve);
    sent.on('information', ({ statusCode, rawHeaders }) => interim.push([String(statusCode), rawHeaders]));
    sent.once('error', resolve);
    for (const chunk of chunks) sent.write(chunk);
    if (trailers !== undefined) sent.addTrailers(trailers);
    sent.end(whole);
  });
  // Errors of another realm are no `Error` here.
  if (!('rawHeaders' in response)) return { ...withoutResponse(String(response.code)), interim };
  const received: Buffer[] = [];
  response.on('error', () => {});
  response.on('data', (chunk: Buffer) => received.push(chunk));
  await new Promise((resolve) => response.once('close', resolve));
  const { rawHeaders, statusCode, statusMessage, httpVersion, rawTrailers, complete } = response;
  const hide = (text: string) => text.replaceAll(`:${port}`, ':PORT');
  return {
    interim,
    status: `HTTP/${httpVersion} ${statusCode} ${statusMessage}`,
    headers: rawHeaders.map(hide),
    body: shorten(hide(Buffer.concat(received).toString('latin1'))),
    trailers: rawTrailers,
    isComplete: complete,
  };
}

function withoutResponse(code: string): Answer {
  return { interim: [], status: code, headers: [], body: '', trailers: [], isComplete: false };
}

/** What a client does on one connection. */
export interface Exchange {
  /** What it sends; an array piece by piece. It waits for bytes that `awaits` names before it goes on. */
  sent: string | (string | { awaits: string })[];
  /** Methods of the requests, if one of them is HEAD: its response has no body. */
  methods?: readonly string[];
  /** The client ends its side of the connection behind the requests. */
  ends?: boolean;
}

/** Performs an exchange, and returns all responses until the server has closed the connection, and the error if it has reset it. */
export async function exchange(port: number, { sent, methods = [], ends = false }: Exchange): Promise<Answer[]> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  let received = '';
  let notify = () => {};
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
    notify();
  });
  let failure: string | undefined;
  socket.on('error', ({ code }: NodeJS.ErrnoException) => (failure = code));
  const isOver = new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', () => resolve());
  });
  for (const piece of typeof sent === 'string' ? [sent] : sent) {
    if (typeof piece === 'string') await write(socket, piece);
    else
      while (!received.includes(piece.awaits))
        await Promise.race([isOver, new Promise<void>((resolve) => (notify = resolve))]);
  }
  if (ends) socket.end();
  await isOver;
  socket.destroy();
  const answers = splitResponses(Buffer.from(received.replaceAll(`:${port}`, ':PORT'), 'latin1'), methods);
  const shortened = answers.map((answer) => ({ ...answer, body: shorten(answer.body) }));
  return failure === undefined ? shortened : [...shortened, withoutResponse(failure)];
}

/** Differences of long texts are not readable, and take minutes to find. */
function shorten(body: string): string {
  if (body.length < LONGEST_SHOWN) return body;
  return `${body.slice(0, 100)}… ${body.length} bytes, SHA-1 ${createHash('sha1').update(body, 'latin1').digest('hex')}`;
}

/** Writes so that the server can receive these bytes without those that follow. */
async function write(socket: Socket, piece: string): Promise<void> {
  await new Promise<void>((resolve) => socket.write(piece, 'latin1', () => resolve()));
  await new Promise((resolve) => setImmediate(resolve));
}
