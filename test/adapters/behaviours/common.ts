/* What the apps of every framework are asked. */
import { createHash } from 'node:crypto';
import type { Ask, Exchange } from './client.js';

export const JSON_TYPE = { 'content-type': 'application/json' };
export const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
export const TEXT_TYPE = { 'content-type': 'text/plain' };
export const BYTES_TYPE = { 'content-type': 'application/octet-stream' };
export const MULTIPART_TYPE = { 'content-type': 'multipart/form-data; boundary=X' };
export const LARGE = 'ü'.repeat(200_000);
export const CHUNKS = ['one ', 'two ', LARGE];
const part = (head: string, body: string) => `--X\r\ncontent-disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
const NOTE = part('name="note"', 'grüße');
export const MULTIPART = `${NOTE}${part('name="file"; filename="a.txt"\r\ncontent-type: text/x', 'file')}--X--\r\n`;
export const LARGE_MULTIPART = `${NOTE}${part('name="file"; filename="a.bin"', 'x'.repeat(250_000))}--X--\r\n`;

export const get = (...paths: string[]): Record<string, Ask> =>
  Object.fromEntries(paths.map((path) => [`GET ${path}`, { path }]));
export const post = (path: string, headers: Ask['headers'], body: Ask['body'], more: Partial<Ask> = {}): Ask => ({
  method: 'POST',
  path,
  ...(headers && { headers }),
  ...(body !== undefined && { body }),
  ...more,
});

/** Entity tags of the text that `/etag` responds with: that of Express, and that of the others. */
const SHA1 = createHash('sha1').update('tagged');
const TAGS = `W/"6-${SHA1.copy().digest('base64').slice(0, 27)}", "${SHA1.digest('hex')}"`;

/** Requests for routes that every app has. */
export const COMMON: Record<string, Ask> = {
  JSON: { path: '/json' },
  text: { path: '/text' },
  HTML: { path: '/html' },
  bytes: { path: '/bytes' },
  'no content': { path: '/empty' },
  'a response that is made later': { path: '/late' },
  'a large response': { path: '/large' },
  'status 201 and a repeated header': { path: '/headers' },
  'status 418': { path: '/status/418' },
  'status 503': { path: '/status/503' },
  'a header beyond ASCII': { path: '/latin1' },
  'a redirect': { path: '/redirect' },

  'a query': { path: '/query?a=1&b=%C3%BC+x' },
  'a query with repeated names': { path: '/query?a=1&a=2&b' },
  'an empty query': { path: '/query?' },
  parameters: { path: '/params/one/x/y' },
  'encoded parameters': { path: '/params/%C3%BC%2F%20/x/y' },
  'a path that cannot be decoded': { path: '/params/%/x/y' },
  'a target that is not a valid URL': { path: '/query?a=<">' },
  'two slashes': { path: '//json' },
  'all headers': {
    path: '/sent',
    headers: { host: 'a.test', 'X-Own': ' v ', accept: ['x/y', 'z'], 'user-agent': 'test' },
  },
  'repeated headers': { path: '/sent', headers: { host: 'a.test', 'X-Own': ['1', '2'], cookie: ['a=1', 'b=2'] } },
  'a large header': { path: '/sent', headers: { host: 'a.test', 'X-Own': 'v'.repeat(8_000) } },
  'the address of the client': { path: '/ip' },

  cookies: { path: '/cookies', headers: { cookie: 'c=3; d=%20x' } },
  'no cookies': { path: '/cookies' },
  'the first visit of a session': { path: '/session' },
  'a further visit of a session': { path: '/session', headers: { cookie: 'visits=4' } },
  'a session that is unknown': { path: '/session', headers: { cookie: 'visits=nonsense' } },

  'a stream': { path: '/stream' },
  'a large stream': { path: '/large-stream' },
  'server-sent events': { path: '/sse' },
  'a stream that fails midway': { path: '/fails-midway' },
  'a compressed response': { path: '/compressed', headers: { 'accept-encoding': 'gzip' } },
  'a response that the client cannot decompress': { path: '/compressed', headers: { 'accept-encoding': 'identity' } },
  'a compressed stream': { path: '/compressed-stream', headers: { 'accept-encoding': 'gzip' } },

  'a file': { path: '/file' },
  'a range': { path: '/range', headers: { range: 'bytes=2-5' } },
  'a range without an end': { path: '/range', headers: { range: 'bytes=7-' } },
  'a range beyond the end': { path: '/range', headers: { range: 'bytes=50-60' } },
  'a request without a range': { path: '/range' },
  'an entity tag': { path: '/etag' },
  'a matching entity tag': { path: '/etag', headers: { 'if-none-match': TAGS } },
  'another entity tag': { path: '/etag', headers: { 'if-none-match': '"other"' } },

  'an error that is thrown': { path: '/throws' },
  'a promise that rejects': { path: '/rejects' },
  'no route': { path: '/nowhere?x' },
  'a body for no route': post('/nowhere', TEXT_TYPE, 'grüße'),

  'HEAD of JSON': { method: 'HEAD', path: '/json' },
  'HEAD of a large response': { method: 'HEAD', path: '/large' },
  'HEAD of a stream': { method: 'HEAD', path: '/stream' },
  'HEAD of a file': { method: 'HEAD', path: '/file' },
  'HEAD of an error': { method: 'HEAD', path: '/throws' },
  'HEAD of no route': { method: 'HEAD', path: '/nowhere' },
  PUT: { method: 'PUT', path: '/any' },
  PATCH: { method: 'PATCH', path: '/any' },
  DELETE: { method: 'DELETE', path: '/any' },
  OPTIONS: { method: 'OPTIONS', path: '/any' },
  'HEAD of any': { method: 'HEAD', path: '/any' },
  PROPFIND: { method: 'PROPFIND', path: '/any' },
  'M-SEARCH for no route': { method: 'M-SEARCH', path: '/nowhere' },

  'a JSON body': post('/echo-json', JSON_TYPE, '{"a":1}'),
  'a JSON body in chunks': post('/echo-json', JSON_TYPE, ['{"a"', ':1', '}']),
  'a large JSON body': post('/echo-json', JSON_TYPE, JSON.stringify({ a: 1, b: 'x'.repeat(60_000) })),
  'invalid JSON': post('/echo-json', JSON_TYPE, '{'),
  'an empty JSON body': post('/echo-json', JSON_TYPE, ''),
  'a text body': post('/echo-text', TEXT_TYPE, 'grüße'),
  'a text body in chunks': post('/echo-text', TEXT_TYPE, ['one ', 'two']),
  'an empty body': post('/echo-text', TEXT_TYPE, ''),
  'a large body': post('/echo-bytes', BYTES_TYPE, LARGE),
  'a large body in chunks': post('/echo-bytes', BYTES_TYPE, [LARGE, LARGE]),
  'an echoed stream': post('/echo-stream', BYTES_TYPE, LARGE),
  'an echoed stream of chunks': post('/echo-stream', BYTES_TYPE, CHUNKS),
  'an echoed stream of 2 MB': post('/echo-stream', BYTES_TYPE, Buffer.alloc(2_000_000, 'p')),
  'a body that is not read': post('/unread', BYTES_TYPE, 'small'),
  'a large body that is not read': post('/unread', BYTES_TYPE, LARGE),
  'a form': post('/form', FORM_TYPE, 'a=1&b=%C3%BC+x'),
  'a multipart upload': post('/upload', MULTIPART_TYPE, MULTIPART),
  'a large multipart upload': post('/upload', MULTIPART_TYPE, LARGE_MULTIPART),
  'a multipart upload in chunks': post('/upload', MULTIPART_TYPE, [MULTIPART.slice(0, 70), MULTIPART.slice(70)]),
  'an incomplete multipart upload': post('/upload', MULTIPART_TYPE, '--X\r\n'),
};

const line = (method: string, path: string, ...fields: string[]) =>
  `${method} ${path} HTTP/1.1\r\n${['Host: app.test', ...fields].map((field) => `${field}\r\n`).join('')}\r\n`;
const CLOSE = 'Connection: close';
const LAST = line('GET', '/json', CLOSE);
const TYPE = 'Content-Type: text/plain';
const chunkedPost = (...fields: string[]) => line('POST', '/echo-text', TYPE, 'Transfer-Encoding: chunked', ...fields);

/** What clients do on a connection. */
export const CONNECTIONS: Record<string, Exchange> = {
  'a client that closes': { sent: LAST },
  'HTTP/1.0': { sent: 'GET /json HTTP/1.0\r\n\r\n' },
  'HTTP/1.0 that keeps the connection': {
    sent: 'GET /json HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /text HTTP/1.0\r\n\r\n',
  },
  'HTTP/1.0 and a stream': { sent: 'GET /stream HTTP/1.0\r\n\r\n' },
  'HTTP/1.0 and a body': {
    sent: 'POST /echo-text HTTP/1.0\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc',
  },
  'requests one after the other on a kept connection': { sent: [line('GET', '/json'), line('GET', '/nowhere'), LAST] },
  'pipelined requests': { sent: line('GET', '/json') + line('GET', '/text') + LAST },
  'pipelined requests of which the first takes longer': { sent: line('GET', '/late') + line('GET', '/text') + LAST },
  'pipelined requests behind a stream': { sent: line('GET', '/stream') + LAST },
  'pipelined requests with bodies': {
    sent: `${line('POST', '/echo-text', TYPE, 'Content-Length: 3')}abc${line('POST', '/echo-text', TYPE, 'Content-Length: 2', CLOSE)}de`,
  },
  'a pipelined HEAD': { sent: line('HEAD', '/large') + LAST, methods: ['HEAD'] },
  'a pipelined request behind an error': { sent: line('GET', '/throws') + LAST },
  'nothing behind a request that closes': { sent: LAST + line('GET', '/text') },
  'a request that arrives byte by byte': { sent: [...line('GET', '/query?a=1', CLOSE)] },
  'a body that arrives byte by byte': {
    sent: [line('POST', '/echo-text', TYPE, 'Content-Length: 12', CLOSE), ...'byte by byte'],
  },
  'chunks that arrive byte by byte': { sent: [chunkedPost(CLOSE), ...'3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'] },
  'trailers of a request': { sent: `${chunkedPost('Trailer: x-a', CLOSE)}3\r\nabc\r\n0\r\nX-A: 1\r\n\r\n` },
  'chunk extensions': { sent: `${chunkedPost(CLOSE)}3;name=value\r\nabc\r\n0;last\r\n\r\n` },
  'empty lines before a request': { sent: `\r\n\r\n${LAST}` },
  'header names in any case and blanks around values': {
    sent: 'GET /sent HTTP/1.1\r\nhOsT: app.test\r\nx-ONE:  1 \t\r\nCONNECTION: close\r\nX-Empty:\r\n\r\n',
  },
  'a header beyond ASCII in a request': { sent: line('GET', '/sent', 'X-Own: gr\xfc\xdfe', CLOSE) },
  'a body of a GET request': { sent: `${line('GET', '/json', 'Content-Length: 3', CLOSE)}abc` },
  'a client that waits for 100 Continue': {
    sent: [
      line('POST', '/echo-text', TYPE, 'Expect: 100-continue', 'Content-Length: 3', CLOSE),
      { awaits: '100 Continue' },
      'abc',
    ],
  },
  'an upgrade that nobody takes': { sent: line('GET', '/json', 'Connection: upgrade, close', 'Upgrade: h2c') },
  'a client that ends its side behind its request': { sent: line('GET', '/text'), ends: true },
  'a client that ends its side behind pipelined requests': {
    sent: line('GET', '/text') + line('GET', '/html'),
    ends: true,
  },
  'a client that ends its side behind a body': {
    sent: `${line('POST', '/unread', TYPE, 'Content-Length: 3')}abc`,
    ends: true,
  },
  'a client that ends its side within a head': { sent: 'GET /json HTTP/1.1\r\nHos', ends: true },
};
