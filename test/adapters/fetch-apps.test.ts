import { Agent, type IncomingMessage, request as send } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Program } from '../support/process.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';

/* Each app runs on its usual Node.js server and on a shard. The same requests get the same responses, except for what `comparable` drops. */

interface Ask {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array | (string | Uint8Array)[];
  /** Not compared: `body`, or a header; and why. */
  differs?: { in: string; because: string };
}

/** It sends a `Response` whose type nobody has set as text, and loses the type of text if other headers are given. */
const TYPE = { in: 'content-type', because: '@hono/node-server does not set it as the standard says' };
const MESSAGE = { in: 'body', because: 'Elysia sends the message of the exception, and ours are worded differently' };

interface Answer {
  status: number | undefined;
  headers: [string, string][];
  length: string | undefined;
  body: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const MULTIPART_TYPE = { 'content-type': 'multipart/form-data; boundary=X' };
const LARGE = 'ü'.repeat(200_000);
const part = (head: string, body: string) => `--X\r\ncontent-disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
const MULTIPART = `${part('name="note"', 'grüße')}${part('name="file"; filename="a.txt"\r\ncontent-type: text/x', 'file')}--X--\r\n`;
const LARGE_MULTIPART = `${part('name="note"', '')}${part('name="file"; filename="a.bin"', LARGE)}--X--\r\n`;

/** Requests for routes that every app has. */
const COMMON: Record<string, Ask> = {
  JSON: { path: '/json' },
  text: { path: '/text' },
  bytes: { path: '/bytes' },
  'no content': { path: '/empty' },
  'status and headers': { path: '/headers' },
  'a redirect': { path: '/redirect' },
  cookies: { path: '/cookies', headers: { cookie: 'c=3; d=%20x' } },
  'a query': { path: '/query?a=1&a=2&b=%C3%BC+x' },
  parameters: { path: '/params/%C3%BC/x/y' },
  'a large response': { path: '/large' },
  'a range': { path: '/range', headers: { range: 'bytes=2-5' } },
  'a request without a range': { path: '/range' },
  'an error': { path: '/throws' },
  'no route': { path: '/nowhere?x' },
  'a JSON body': { method: 'POST', path: '/echo-json', headers: JSON_TYPE, body: '{"a":1}' },
  'invalid JSON': { method: 'POST', path: '/echo-json', headers: JSON_TYPE, body: '{' },
  'a text body': { method: 'POST', path: '/echo-text', headers: { 'content-type': 'text/plain' }, body: 'grüße' },
  'a body in chunks': {
    method: 'POST',
    path: '/echo-text',
    headers: { 'content-type': 'text/plain' },
    body: ['one ', 'two'],
  },
  'a large body': { method: 'POST', path: '/echo-bytes', headers: { 'content-type': 'x/y' }, body: LARGE },
  'a large body in chunks': {
    method: 'POST',
    path: '/echo-bytes',
    headers: { 'content-type': 'x/y' },
    body: [LARGE, LARGE],
  },
  'an empty body': { method: 'POST', path: '/echo-text', headers: { 'content-type': 'text/plain' } },
  'a form': { method: 'POST', path: '/form', headers: FORM_TYPE, body: 'a=1&b=%C3%BC+x' },
  PUT: { method: 'PUT', path: '/any' },
  DELETE: { method: 'DELETE', path: '/any' },
  OPTIONS: { method: 'OPTIONS', path: '/any' },
  'HEAD of any': { method: 'HEAD', path: '/any' },
};

const HONO: Record<string, Ask> = {
  ...COMMON,
  bytes: { path: '/bytes', differs: TYPE },
  'a range': { path: '/range', headers: { range: 'bytes=2-5' }, differs: TYPE },
  'a request without a range': { path: '/range', differs: TYPE },
  'HEAD of JSON': { method: 'HEAD', path: '/json' },
  HTML: { path: '/html' },
  'no body': { path: '/null' },
  'a status': { path: '/status/418' },
  'headers after the handler': { path: '/headers-after' },
  'Response.redirect': { path: '/static-redirect' },
  'the URL': { path: '/url?a=%20&b' },
  'a path with dot segments': { path: '/a/../url/./?x' },
  'all headers': { path: '/sent', headers: { 'X-Own': ' v ', cookie: ['a=1', 'b=2'], accept: ['x/y', 'z'] } },
  'a native Response': { path: '/native' },
  'a stream': { path: '/stream', differs: TYPE },
  'server-sent events': { path: '/sse', differs: { in: 'x-accel-buffering', because: 'nginx would buffer events' } },
  'a Blob': { path: '/blob', differs: TYPE },
  HTTPException: { path: '/rejects' },
  'HTTPException with a Response': { path: '/exception-response' },
  'the address of the client': { path: '/ip' },
  CORS: { path: '/cors/x', headers: { origin: 'http://a.test' } },
  'a preflight': {
    method: 'OPTIONS',
    path: '/cors/x',
    headers: { origin: 'http://a.test', 'access-control-request-method': 'PUT' },
  },
  'an entity tag': { path: '/etag/x' },
  'a matching entity tag': {
    path: '/etag/x',
    headers: { 'if-none-match': '"c44ebcbda38b4b8fbd0ab07ec4e6ffb3e0b71e19"' },
  },
  'secure headers': { path: '/secure/x' },
  'missing authorization': { path: '/auth/x' },
  authorization: { path: '/auth/x', headers: { authorization: `Basic ${btoa('u:p')}` } },
  compression: { path: '/compressed/x', headers: { 'accept-encoding': 'gzip' } },
  'a mounted app': { path: '/mounted/x/y' },
  'an echoed stream': { method: 'POST', path: '/echo-stream', body: LARGE },
  'an echoed stream of chunks': { method: 'POST', path: '/echo-stream', body: ['one', 'two'] },
  'a multipart upload': { method: 'POST', path: '/upload', headers: MULTIPART_TYPE, body: MULTIPART },
  'a large multipart upload': { method: 'POST', path: '/upload', headers: MULTIPART_TYPE, body: LARGE_MULTIPART },
  'an incomplete multipart upload': { method: 'POST', path: '/upload', headers: MULTIPART_TYPE, body: '--X\r\n' },
  'a form with repeated names': { method: 'POST', path: '/form', headers: FORM_TYPE, body: 'a=1&a=2' },
  'a clone': { method: 'POST', path: '/clone', body: 'cloned' },
  'a body that is read twice': { method: 'POST', path: '/twice', body: 'x' },
  'a Request made of another': { method: 'POST', path: '/rewrite', headers: JSON_TYPE, body: '{}' },
  'a response of fetch': { method: 'POST', path: '/fetch', body: 'forwarded' },
};

const H3: Record<string, Ask> = {
  ...COMMON,
  'HEAD of JSON': { method: 'HEAD', path: '/json' },
  'a stream': { path: '/stream' },
  'server-sent events': { path: '/sse' },
  'a Blob': { path: '/blob' },
  'a Response': { path: '/response' },
  'the address of the client': { path: '/ip' },
};

const ELYSIA: Record<string, Ask> = {
  ...COMMON,
  'no content': { path: '/empty', differs: MESSAGE },
  'a redirect': { path: '/redirect', differs: MESSAGE },
  'a stream': { path: '/stream' },
  'a Response': { path: '/response' },
  'a body that does not match': { method: 'POST', path: '/echo-json', headers: JSON_TYPE, body: '{"a":"x"}' },
};

const ITTY: Record<string, Ask> = {
  ...COMMON,
  CORS: { path: '/json', headers: { origin: 'http://a.test' } },
  'a preflight': { method: 'OPTIONS', path: '/json', headers: { origin: 'http://a.test' } },
};

/** Set by the connection, or by one of the servers only. Lengths are compared where both servers send one. */
const FRAMING = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length']);

async function ask(port: number, { method = 'GET', path, headers = {}, body, differs }: Ask): Promise<Answer> {
  const chunks = Array.isArray(body) ? body : undefined;
  const whole = chunks === undefined ? (body as string | Uint8Array | undefined) : undefined;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const length = whole === undefined ? {} : { 'content-length': Buffer.byteLength(whole) };
    const sent = send(
      { port, host: '127.0.0.1', method, path, headers: { ...headers, ...length }, agent: false },
      resolve,
    );
    sent.once('error', reject);
    for (const chunk of chunks ?? []) sent.write(chunk);
    sent.end(whole);
  });
  const received: Buffer[] = [];
  for await (const chunk of response) received.push(chunk);
  const { rawHeaders, statusCode: status } = response;
  const pairs = rawHeaders.flatMap((name, i): [string, string][] =>
    i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1]]] : [],
  );
  return {
    status,
    headers: pairs
      .filter(([name]) => !FRAMING.has(name) && name !== differs?.in)
      .map(([name, value]): [string, string] => [name, comparable(name, value).replace(String(port), 'PORT')])
      .sort(byText),
    length: differs?.in === 'body' ? undefined : response.headers['content-length'],
    body: differs?.in === 'body' ? '' : Buffer.concat(received).toString('latin1').replaceAll(`:${port}`, ':PORT'),
  };
}

/** @hono/node-server writes `; charset` where Node.js's own Response writes `;charset`. */
function comparable(name: string, value: string): string {
  return name === 'content-type' ? value.replace('; ', ';').toLowerCase() : value;
}

function byText(one: [string, string], other: [string, string]): number {
  return one.join() < other.join() ? -1 : 1;
}

describe.each([
  ['hono', '@hono/node-server', HONO],
  ['hono-streamed', '@hono/node-server', HONO],
  ['h3', 'srvx', H3],
  ['elysia', 'srvx', ELYSIA],
  ['itty', 'srvx', ITTY],
])('%s on a shard, compared with %s', (name, server, behaviours) => {
  let node: Program;
  let nodePort: number;
  let shards: TestServer;

  beforeAll(async () => {
    node = new Program(process.execPath, ['test/fixtures/fetch/node-server.js', server, name.replace('-streamed', '')]);
    shards = await startServer({ shards: 1, abortOnHalfClose: true }, `fetch/${name}.js`);
    nodePort = Number((await node.printed(/port (\d+)/))[1]);
  });

  afterAll(async () => {
    node.child.kill();
    await node.exit();
    await expectConserved(shards);
    await shards.server.close();
  });

  test.each(Object.entries(behaviours))('%s: the same response', async (_, asked) => {
    const expected = await ask(nodePort, asked);
    const got = await ask(shards.port, asked);
    const isLengthShared = expected.length !== undefined && got.length !== undefined;
    expect({ ...got, length: isLengthShared && got.length }).toEqual({
      ...expected,
      length: isLengthShared && expected.length,
    });
  });

  test('the signal of a request is aborted when its client disconnects', async () => {
    const agent = new Agent();
    const waiting = send({ port: shards.port, host: '127.0.0.1', path: '/wait', agent });
    waiting.once('error', () => {});
    waiting.end();
    const figures = async () => JSON.parse((await ask(shards.port, { path: '/waits' })).body);
    await until(async () => (await figures()).waiting === 1, 'the request');
    waiting.destroy();
    await until(async () => (await figures()).aborted === 1, 'the abort');
  });
});
