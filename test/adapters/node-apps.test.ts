import { Agent, type IncomingMessage, request as send } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Program } from '../support/process.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';

/*
 * Each app runs on node:http and on a shard. The same requests get the same status lines, the same headers in the same order and case, the
 * same interim responses, trailers and bodies; only `date` differs.
 */

interface Ask {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array | (string | Uint8Array)[];
  trailers?: Record<string, string>;
  /** Not compared: a header; and why. */
  differs?: { in: string; because: string };
}

interface Answer {
  interim: unknown[];
  /** The status line, or the code of the error if there is no response. */
  status: string;
  headers: string[];
  body: string;
  trailers: string[];
  /** Whether all of it was received. */
  complete: boolean;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const TEXT_TYPE = { 'content-type': 'text/plain' };
const MULTIPART_TYPE = { 'content-type': 'multipart/form-data; boundary=X' };
const LARGE = 'ü'.repeat(200_000);
const part = (head: string, body: string) => `--X\r\ncontent-disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
const MULTIPART = `${part('name="note"', 'grüße')}${part('name="file"; filename="a.txt"\r\ncontent-type: text/x', 'file')}--X--\r\n`;
const LARGE_MULTIPART = `${part('name="file"; filename="a.bin"', 'x'.repeat(250_000))}--X--\r\n`;
const TOO_LARGE_MULTIPART = `${part('name="file"; filename="a.bin"', 'x'.repeat(350_000))}--X--\r\n`;
const CHUNKS = ['one ', 'two ', LARGE];

const get = (...paths: string[]) => Object.fromEntries(paths.map((path) => [`GET ${path}`, { path } satisfies Ask]));
const post = (path: string, headers: Ask['headers'], body: Ask['body'], more: Partial<Ask> = {}): Ask => ({
  method: 'POST',
  path,
  ...(headers && { headers }),
  ...(body !== undefined && { body }),
  ...more,
});

const PLAIN: Record<string, Ask> = {
  ...get('/text', '/latin1', '/base64', '/bytes', '/uint8', '/empty', '/large', '/huge', '/204', '/304', '/reason'),
  ...get('/status-message', '/arrays', '/raw-array', '/headers-sent', '/no-date', '/set-after-head', '/invalid-header'),
  ...get('/chunks', '/known-length-in-parts', '/corked', '/trailers', '/close', '/close-chunked'),
  ...get('/hints', '/pipe', '/pipeline', '/missing-file', '/sse', '/request?a=%20&b', '/socket', '/drain', '/timeout'),
  ...get('/destroy', '/destroy-request', '/destroy-midway', '/nowhere'),
  'HEAD of text': { method: 'HEAD', path: '/text' },
  'HEAD of chunks': { method: 'HEAD', path: '/chunks' },
  'HEAD of a file': { method: 'HEAD', path: '/pipe' },
  'repeated request headers': {
    path: '/request',
    headers: { 'X-Own': ['1', '2'], cookie: ['a=1', 'b=2'], Age: ['1', '2'] },
  },
  'a small body': post('/echo', TEXT_TYPE, 'grüße'),
  'a large body': post('/echo', TEXT_TYPE, LARGE),
  'a body in chunks': post('/echo', TEXT_TYPE, CHUNKS),
  'an empty body': post('/echo', TEXT_TYPE, ''),
  'a piped small body': post('/echo-pipe', TEXT_TYPE, 'grüße'),
  'a piped large body': post('/echo-pipe', TEXT_TYPE, Buffer.alloc(2_000_000, 'p')),
  'a piped body in chunks': post('/echo-pipe', TEXT_TYPE, CHUNKS),
  'events of a small body': post('/echo-events', TEXT_TYPE, 'grüße'),
  'events of a body in chunks': post('/echo-events', TEXT_TYPE, CHUNKS),
  'request trailers': post('/echo-events', { ...TEXT_TYPE, trailer: 'x-sum' }, ['a', 'b'], {
    trailers: { 'X-Sum': '12', 'X-Sum-2': 'y' },
  }),
  'a body that is not read': post('/unread', TEXT_TYPE, 'small'),
  PUT: { method: 'PUT', path: '/request' },
  PROPFIND: { method: 'PROPFIND', path: '/request' },
  'M-SEARCH': { method: 'M-SEARCH', path: '/request' },
  TRACE: { method: 'TRACE', path: '/request' },
};

const EXPRESS: Record<string, Ask> = {
  ...get(
    '/json',
    '/text',
    '/html',
    '/bytes',
    '/large',
    '/status',
    '/redirect',
    '/headers',
    '/query?a=1&a=2&b[c]=x%20y',
  ),
  ...get('/params/%C3%BC', '/params/1/2?x', '/params/%', '/etag', '/fresh', '/file', '/download', '/static/'),
  ...get('/static/apps.md', '/static/missing', '/static/..%2fpackage.json', '/stream', '/chunks', '/compressed'),
  ...get('/jsonp?callback=cb', '/render', '/links', '/session', '/throws', '/next-error', '/rejects', '/custom-error'),
  ...get('/sub/a/b?c', '/sub', '/inner/x', '/nowhere?x', '/%', '/json?x=<>', '//json', '/fails-midway'),
  'HEAD of JSON': { method: 'HEAD', path: '/json' },
  'HEAD of a file': { method: 'HEAD', path: '/file' },
  cookies: { path: '/cookies', headers: { cookie: 'c=3; d=%20x' } },
  'the client behind a proxy': {
    path: '/client',
    headers: { 'x-forwarded-for': '1.2.3.4, 5.6.7.8', 'x-forwarded-proto': 'https', host: 'a.b.test:80' },
  },
  'negotiated JSON': { path: '/negotiate', headers: { accept: 'application/json' } },
  'nothing acceptable': { path: '/negotiate', headers: { accept: 'image/png' } },
  'a matching entity tag': { path: '/etag', headers: { 'if-none-match': 'W/"6-K8d63TWVN9n+NsyJ+EV7/s8ecgs"' } },
  'a range': { path: '/file', headers: { range: 'bytes=5-9' } },
  ranges: { path: '/file', headers: { range: 'bytes=0-1,5-9' } },
  'an unsatisfiable range': { path: '/file', headers: { range: 'bytes=99999999-' } },
  'compressed JSON': { path: '/compressed', headers: { 'accept-encoding': 'gzip' } },
  'a compressed stream': { path: '/compressed-stream', headers: { 'accept-encoding': 'gzip' } },
  'a session': { path: '/session', headers: { cookie: 'sid=s%3Aid.none' } },
  'a JSON body': post('/echo-json', JSON_TYPE, '{"a":["ü"]}'),
  'a JSON body in chunks': post('/echo-json', JSON_TYPE, ['{"a"', ':1}']),
  'invalid JSON': post('/echo-json', JSON_TYPE, '{'),
  'JSON of another charset': post('/echo-json', { 'content-type': 'application/json; charset=latin1' }, '{}'),
  'a compressed body': post('/echo-json', { ...JSON_TYPE, 'content-encoding': 'br' }, 'not brotli'),
  'a form': post('/echo-form', FORM_TYPE, 'a=1&b[c]=%C3%BC+x&d=1&d=2'),
  'a text body': post('/echo-text', TEXT_TYPE, 'grüße'),
  'a large text body': post('/echo-text', TEXT_TYPE, LARGE),
  'a large raw body in chunks': post('/echo-raw', undefined, [LARGE, LARGE]),
  'a body beyond the limit of the app': post('/limited', TEXT_TYPE, 'more than ten'),
  'an upload': post('/upload', MULTIPART_TYPE, MULTIPART),
  'a large upload': post('/upload', MULTIPART_TYPE, LARGE_MULTIPART),
  'an upload beyond the limit of the app': post('/upload', MULTIPART_TYPE, TOO_LARGE_MULTIPART),
  'an incomplete upload': post('/upload', MULTIPART_TYPE, '--X\r\n'),
  'a piped body': post('/echo-pipe', TEXT_TYPE, LARGE),
  'a body that is not read': post('/unread', TEXT_TYPE, 'small'),
  'OPTIONS that Express answers': { method: 'OPTIONS', path: '/json' },
  'OPTIONS of a handler': { method: 'OPTIONS', path: '/options' },
  DELETE: { method: 'DELETE', path: '/any' },
  PROPFIND: { method: 'PROPFIND', path: '/any' },
  'a method without a route': { method: 'PUT', path: '/json' },
};

const KOA: Record<string, Ask> = {
  ...get('/json', '/text', '/html', '/bytes', '/large', '/null', '/status', '/message', '/redirect', '/headers'),
  ...get('/query?a=1&a=2', '/client', '/fresh', '/file', '/missing-file', '/web-stream', '/blob', '/response'),
  ...get('/own-response', '/attachment', '/late', '/throws', '/ctx-throw', '/assert', '/caught', '/nowhere', '/%'),
  'HEAD of JSON': { method: 'HEAD', path: '/json' },
  'HEAD of a file': { method: 'HEAD', path: '/file' },
  cookies: { path: '/cookies', headers: { cookie: 'c=3' } },
  'negotiated HTML': { path: '/negotiate', headers: { accept: 'text/html' } },
  'a matching entity tag': { path: '/fresh', headers: { 'if-none-match': '"tag"' } },
  'a small body': post('/echo', TEXT_TYPE, 'grüße'),
  'a large body': post('/echo', TEXT_TYPE, LARGE),
  'a body in chunks': post('/echo', TEXT_TYPE, CHUNKS),
  'an echoed stream': post('/echo-stream', TEXT_TYPE, LARGE),
  'an echoed stream of chunks': post('/echo-stream', TEXT_TYPE, CHUNKS),
  'the length of a body': post('/length', TEXT_TYPE, 'grüße'),
  'a body that is not read': post('/unread', TEXT_TYPE, 'small'),
  DELETE: { method: 'DELETE', path: '/any' },
  REPORT: { method: 'REPORT', path: '/any' },
};

const FASTIFY: Record<string, Ask> = {
  ...get('/json', '/schema', '/text', '/bytes', '/large', '/callback', '/late', '/status', '/empty', '/redirect'),
  ...get('/headers', '/query?a=1&a=2', '/params/%C3%BC', '/stream', '/readable', '/web-stream', '/response', '/hijack'),
  ...get('/hints', '/trailers', '/throws', '/fails', '/stream-fails', '/scope/throws', '/scope/nowhere', '/nowhere'),
  ...get('/params/%', '/any'),
  'HEAD of JSON': { method: 'HEAD', path: '/json' },
  'the client behind a proxy': {
    path: '/client',
    headers: { 'x-forwarded-for': '1.2.3.4, 5.6.7.8', 'x-forwarded-proto': 'https', host: 'a.b.test' },
  },
  'a JSON body': post('/echo-json', JSON_TYPE, '{"a":["ü"]}'),
  'a JSON body in chunks': post('/echo-json', JSON_TYPE, ['{"a"', ':1}']),
  'a large JSON body': post('/echo-json', JSON_TYPE, JSON.stringify([LARGE])),
  'invalid JSON': post('/echo-json', JSON_TYPE, '{'),
  'an empty JSON body': post('/echo-json', JSON_TYPE, ''),
  'a body that does not match': post('/validated', JSON_TYPE, '{"b":1}'),
  'a text body': post('/echo-json', TEXT_TYPE, 'grüße'),
  'an unknown type': post('/echo-json', { 'content-type': 'x/y' }, 'x'),
  'a body beyond the limit of the app': post('/limited', JSON_TYPE, '"more than ten"'),
  'a streamed body': post('/echo-stream', { 'content-type': 'application/octet-stream' }, LARGE),
  'a streamed body in chunks': post('/echo-stream', { 'content-type': 'application/octet-stream' }, CHUNKS),
  'a buffered body': post('/echo-buffer', { 'content-type': 'application/x-buffer' }, CHUNKS),
  PATCH: { method: 'PATCH', path: '/any' },
  OPTIONS: { method: 'OPTIONS', path: '/any' },
};

const agent = new Agent({ keepAlive: true });
afterAll(() => agent.destroy());

/** @param port the answer has PORT in its place */
async function ask(
  port: number,
  { method = 'GET', path, headers = {}, body, trailers, differs }: Ask,
): Promise<Answer> {
  const chunks = Array.isArray(body) ? body : undefined;
  const whole = chunks === undefined ? (body as string | Uint8Array | undefined) : undefined;
  const interim: unknown[] = [];
  const response = await new Promise<IncomingMessage | NodeJS.ErrnoException>((resolve) => {
    const length = whole === undefined ? {} : { 'content-length': Buffer.byteLength(whole) };
    const sent = send({ port, host: '127.0.0.1', method, path, headers: { ...headers, ...length }, agent }, resolve);
    sent.on('information', ({ statusCode, rawHeaders }) => interim.push([statusCode, rawHeaders]));
    sent.once('error', resolve);
    for (const chunk of chunks ?? []) sent.write(chunk);
    if (trailers !== undefined) sent.addTrailers(trailers);
    sent.end(whole);
  });
  // Errors of another realm are no `Error` here.
  if (!('rawHeaders' in response)) {
    return { interim, status: String(response.code), headers: [], body: '', trailers: [], complete: false };
  }
  const received: Buffer[] = [];
  response.on('error', () => {});
  response.on('data', (chunk: Buffer) => received.push(chunk));
  await new Promise((resolve) => response.once('close', resolve));
  const { rawHeaders, statusCode, statusMessage, httpVersion, rawTrailers, complete } = response;
  const hidden = (value: string) => value.replaceAll(`:${port}`, ':PORT');
  return {
    interim,
    status: `HTTP/${httpVersion} ${statusCode} ${statusMessage}`,
    headers: rawHeaders.map((one, i) => {
      const name = rawHeaders[i - (i % 2)].toLowerCase();
      return i % 2 === 1 && (name === 'date' || name === differs?.in) ? '…' : hidden(one);
    }),
    body: hidden(Buffer.concat(received).toString('latin1')),
    trailers: rawTrailers,
    complete,
  };
}

/** Sends bytes, and returns everything that comes back until the connection is closed. */
async function exchange(port: number, sent: string, { ends = false } = {}): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  socket.write(sent);
  if (ends) socket.end();
  const received = await text(socket);
  socket.destroy();
  return received.replace(/date: [^\r]*/gi, 'Date: …');
}

const OPTIONS = { shards: 1, timeouts: { keepAliveTimeoutMs: 5_000 } };

describe.each([
  ['plain', PLAIN],
  ['express', EXPRESS],
  ['koa', KOA],
  ['fastify', FASTIFY],
])('%s on a shard, compared with node:http', (name, behaviours) => {
  let node: Program;
  let nodePort: number;
  let shards: TestServer;

  beforeAll(async () => {
    node = new Program(process.execPath, ['test/fixtures/node/node-server.js', name]);
    shards = await startServer(OPTIONS, `node/${name}.js`);
    nodePort = Number((await node.printed(/port (\d+)/))[1]);
  });

  afterAll(async () => {
    node.child.kill();
    agent.destroy();
    await shards.server.close();
    await expectConserved(shards);
  });

  test.each(Object.entries(behaviours))('%s', async (_, asked) => {
    expect(await ask(shards.port, asked)).toEqual(await ask(nodePort, asked));
  });
});

const EXCHANGES: Record<string, string> = {
  'a client that closes': 'GET /text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'HTTP/1.0': 'GET /text HTTP/1.0\r\n\r\n',
  'HTTP/1.0 and a body of unknown length': 'GET /chunks HTTP/1.0\r\n\r\n',
  'HTTP/1.0 that keeps the connection':
    'GET /text HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /text HTTP/1.0\r\n\r\n',
  'HTTP/1.0 that keeps the connection, and a body of unknown length':
    'GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'a response that closes': 'GET /close HTTP/1.1\r\nHost: x\r\n\r\nGET /text HTTP/1.1\r\nHost: x\r\n\r\n',
  'a streamed response that closes':
    'GET /close-chunked HTTP/1.1\r\nHost: x\r\n\r\nGET /text HTTP/1.1\r\nHost: x\r\n\r\n',
  'pipelined requests':
    'GET /timeout HTTP/1.1\r\nHost: x\r\n\r\nGET /text HTTP/1.1\r\nHost: x\r\n\r\nGET /hints HTTP/1.1\r\nHost: x\r\n\r\nGET /arrays HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'HEAD that closes': 'HEAD /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'header names in any case':
    'GET /request HTTP/1.1\r\nhOsT: x\r\nx-ONE:  1 \t\r\nCONNECTION: close\r\nX-Empty:\r\n\r\n',
  'a body whose client waits for 100 Continue':
    'POST /expect HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc',
  'trailers of a chunked request':
    'POST /echo-events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nX-A: 1\r\nx-b:2 \r\n\r\n',
  'OPTIONS of the server': 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
};

/** Sent by node:http to clients that send the body without waiting. LoopShard sends it when the app begins to read and the body is missing. */
const EARLY_CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** Chunks may be divided in another way. */
function withoutChunks(received: string): string {
  return received.replace(/\r\n[0-9a-f]+\r\n/g, '|');
}

describe('bytes on the connection', () => {
  let node: Program;
  let nodePort: number;
  let shards: TestServer;

  beforeAll(async () => {
    node = new Program(process.execPath, ['test/fixtures/node/node-server.js', 'plain']);
    shards = await startServer(OPTIONS, 'node/plain.js');
    nodePort = Number((await node.printed(/port (\d+)/))[1]);
  });

  afterAll(async () => {
    node.child.kill();
    await shards.server.close();
    await expectConserved(shards);
  });

  const eventsOf = async (port: number, of: string) => JSON.parse((await ask(port, { path: `/events?of=${of}` })).body);

  test.each(Object.entries(EXCHANGES))('%s', async (_, sent) => {
    const expected = (await exchange(nodePort, sent)).replace(EARLY_CONTINUE, '');
    expect(expected).toContain('HTTP/1.1 ');
    expect(withoutChunks(await exchange(shards.port, sent))).toBe(withoutChunks(expected));
  });

  test('a client that ends its side gets the responses that the app completes at once', async () => {
    const sent = 'GET /text HTTP/1.1\r\nHost: x\r\n\r\nGET /microtask HTTP/1.1\r\nHost: x\r\n\r\n';
    const expected = await exchange(nodePort, sent, { ends: true });
    expect(expected.match(/200 OK/g)).toHaveLength(2);
    expect(await exchange(shards.port, sent, { ends: true })).toBe(expected);
  });

  test('a client that ends its side gets no late response, as from node:http', async () => {
    const sent = 'GET /timeout HTTP/1.1\r\nHost: x\r\n\r\n';
    expect(await exchange(nodePort, sent, { ends: true })).toBe('');
    expect(await exchange(shards.port, sent, { ends: true })).toBe('');
  });

  test.each([
    ['end-events', 7],
    ['write-after-end', 2],
    ['unknown-encoding', 1],
  ])('%s: the same events', async (name, count) => {
    const events = [];
    for (const port of [nodePort, shards.port]) {
      await ask(port, { path: `/${name}` });
      // The last ones follow the response, which another request may overtake.
      await until(async () => (await eventsOf(port, name)).length >= count, 'the events');
      events.push(await eventsOf(port, name));
    }
    expect(events[1]).toEqual(events[0]);
  });

  test.each(['wait', 'wait-midway'])('%s: the same events when the client disconnects', async (name) => {
    const events = [];
    for (const port of [nodePort, shards.port]) {
      const socket = connect(port, '127.0.0.1');
      socket.write(`GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await until(async () => (await eventsOf(port, name)).includes('waiting'), 'the request');
      socket.destroy();
      await until(
        async () => (await eventsOf(port, name)).some((event: string) => event.startsWith('res close')),
        'close',
      );
      events.push((await eventsOf(port, name)).sort());
    }
    expect(events[0].length).toBeGreaterThan(2);
    expect(events[1]).toEqual(events[0]);
  });

  test('a client that reads slowly makes write() return false until it has read', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const socket = connect(shards.port, '127.0.0.1').pause();
    socket.write('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
    const written = async () => Number((await eventsOf(shards.port, 'endless'))[0] ?? 0);
    let last = -1;
    await until(async () => {
      const now = await written();
      const isStuck = now > 0 && now === last;
      last = now;
      return isStuck;
    }, 'the end of the writes');
    expect(last).toBeLessThan(30_000_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
    socket.destroy();
    await until(async () => (await eventsOf(shards.port, 'endless')).at(-1) === 'closed', 'the end of the response');
  });
});
