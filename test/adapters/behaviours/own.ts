/* What only the apps of one framework are asked. */
import type { Ask, Exchange } from './client.js';
import { CHUNKS, FORM_TYPE, get, JSON_TYPE, LARGE, MULTIPART_TYPE, post, TEXT_TYPE } from './common.js';

const TOO_LARGE_MULTIPART = `--X\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${'x'.repeat(350_000)}\r\n--X--\r\n`;

export const PLAIN: Record<string, Ask> = {
  ...get(
    '/text',
    '/bytes',
    '/empty',
    '/large',
    '/sse',
    '/nowhere',
    '/latin1',
    '/base64',
    '/uint8',
    '/huge',
    '/204',
    '/304',
    '/reason',
    '/status-message',
    '/arrays',
    '/raw-array',
  ),
  ...get('/headers-sent', '/no-date', '/set-after-head', '/invalid-header', '/chunks', '/known-length-in-parts'),
  ...get(
    '/corked',
    '/trailers',
    '/close',
    '/close-chunked',
    '/hints',
    '/pipe',
    '/pipeline',
    '/missing-file',
    '/request',
  ),
  ...get(
    '/request?a=%20&b',
    '/socket',
    '/drain',
    '/timeout',
    '/socket-timeout',
    '/destroy',
    '/destroy-request',
    '/destroy-midway',
  ),
  'HEAD of text': { method: 'HEAD', path: '/text' },
  'HEAD of chunks': { method: 'HEAD', path: '/chunks' },
  'HEAD of a file': { method: 'HEAD', path: '/pipe' },
  'all request headers, as they were sent': {
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
  'a body that is not read': post('/unread', TEXT_TYPE, 'small'),
  'a body that is complete before it is read': post('/complete-first', TEXT_TYPE, ['one ', 'two']),
  'events of a small body': post('/echo-events', TEXT_TYPE, 'grüße'),
  'events of a body in chunks': post('/echo-events', TEXT_TYPE, CHUNKS),
  'request trailers': post('/echo-events', { ...TEXT_TYPE, trailer: 'x-sum' }, ['a', 'b'], {
    trailers: { 'X-Sum': '12', 'X-Sum-2': 'y' },
  }),
  PUT: { method: 'PUT', path: '/request' },
  PROPFIND: { method: 'PROPFIND', path: '/request' },
  'M-SEARCH': { method: 'M-SEARCH', path: '/request' },
  TRACE: { method: 'TRACE', path: '/request' },
};

export const PLAIN_CONNECTIONS: Record<string, Exchange> = {
  'a response that breaks off on a connection that is closed': {
    sent: 'GET /destroy-midway HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n',
  },
  'a response that closes': {
    sent: 'GET /close HTTP/1.1\r\nHost: app.test\r\n\r\nGET /text HTTP/1.1\r\nHost: app.test\r\n\r\n',
  },
  'a streamed response that closes': {
    sent: 'GET /close-chunked HTTP/1.1\r\nHost: app.test\r\n\r\nGET /text HTTP/1.1\r\nHost: app.test\r\n\r\n',
  },
  'HTTP/1.0 that keeps the connection, and a body of unknown length': {
    sent: 'GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  },
  'interim responses in a pipeline': {
    sent: 'GET /timeout HTTP/1.1\r\nHost: app.test\r\n\r\nGET /hints HTTP/1.1\r\nHost: app.test\r\n\r\nGET /arrays HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n',
  },
  'header names in any case, as they were sent': {
    sent: 'GET /request HTTP/1.1\r\nhOsT: app.test\r\nx-ONE:  1 \t\r\nCONNECTION: close\r\nX-Empty:\r\n\r\n',
  },
  'trailers of a chunked request, as they were sent': {
    sent: 'POST /echo-events HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nX-A: 1\r\nx-b:2 \r\n\r\n',
  },
  'OPTIONS of the server': { sent: 'OPTIONS * HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n' },
  'a client that ends its side before a microtask responds': {
    sent: 'GET /text HTTP/1.1\r\nHost: app.test\r\n\r\nGET /microtask HTTP/1.1\r\nHost: app.test\r\n\r\n',
    ends: true,
  },
  'a client that ends its side before a late response': {
    sent: 'GET /timeout HTTP/1.1\r\nHost: app.test\r\n\r\n',
    ends: true,
  },
};

export const EXPRESS: Record<string, Ask> = {
  ...get('/params/1/2?x', '/fresh', '/download', '/static/', '/static/apps.md', '/static/missing'),
  ...get('/static/..%2fpackage.json', '/chunks', '/jsonp?callback=cb', '/render', '/links', '/next-error'),
  ...get('/custom-error', '/sub/a/b?c', '/sub', '/inner/x', '/%', '/hints', '/timeout'),
  'the client behind a proxy': {
    path: '/client',
    headers: { 'x-forwarded-for': '1.2.3.4, 5.6.7.8', 'x-forwarded-proto': 'https', host: 'a.b.test:80' },
  },
  'negotiated JSON': { path: '/negotiate', headers: { accept: 'application/json' } },
  'nothing acceptable': { path: '/negotiate', headers: { accept: 'image/png' } },
  'a range of a file': { path: '/file', headers: { range: 'bytes=5-9' } },
  'ranges of a file': { path: '/file', headers: { range: 'bytes=0-1,5-9' } },
  'an unsatisfiable range of a file': { path: '/file', headers: { range: 'bytes=99999999-' } },
  'a signed session': { path: '/sessions', headers: { cookie: 'sid=s%3Aid.none' } },
  'JSON of another charset': post('/echo-json', { 'content-type': 'application/json; charset=latin1' }, '{}'),
  'a compressed body': post('/echo-json', { ...JSON_TYPE, 'content-encoding': 'br' }, 'not brotli'),
  'a nested form': post('/form', FORM_TYPE, 'a=1&b[c]=%C3%BC+x&d=1&d=2'),
  'a body beyond the limit of the app': post('/limited', TEXT_TYPE, 'more than ten'),
  'an upload beyond the limit of the app': post('/upload', MULTIPART_TYPE, TOO_LARGE_MULTIPART),
  'OPTIONS that Express answers': { method: 'OPTIONS', path: '/json' },
  'OPTIONS of a handler': { method: 'OPTIONS', path: '/options' },
  'a method without a route': { method: 'PUT', path: '/json' },
};

export const KOA: Record<string, Ask> = {
  ...get('/null', '/message', '/client', '/missing-file', '/web-stream', '/blob', '/response', '/own-response'),
  ...get('/attachment', '/ctx-throw', '/assert', '/caught', '/%', '/hints', '/timeout'),
  'negotiated HTML': { path: '/negotiate', headers: { accept: 'text/html' } },
  'the length of a body': post('/length', TEXT_TYPE, 'grüße'),
  REPORT: { method: 'REPORT', path: '/any' },
};

export const FASTIFY: Record<string, Ask> = {
  ...get('/schema', '/callback', '/readable', '/web-stream', '/response', '/hijack', '/hints', '/trailers', '/timeout'),
  ...get('/stream-fails', '/scope/throws', '/scope/nowhere', '/any'),
  'the client behind a proxy': {
    path: '/client',
    headers: { 'x-forwarded-for': '1.2.3.4, 5.6.7.8', 'x-forwarded-proto': 'https', host: 'a.b.test' },
  },
  'a body that does not match': post('/validated', JSON_TYPE, '{"b":1}'),
  'an unknown type': post('/echo-json', { 'content-type': 'x/y' }, 'x'),
  'a body beyond the limit of the app': post('/limited', JSON_TYPE, '"more than ten"'),
  'a buffered body': post('/echo-buffer', { 'content-type': 'application/x-buffer' }, CHUNKS),
};

export const NEST: Record<string, Ask> = {
  ...get('/object', '/http-error', '/forbidden', '/guarded', '/piped/12', '/piped/x', '/filtered', '/intercepted'),
  ...get('/own-response', '/redirect-elsewhere', '/timeout'),
  'a guard that lets in': { path: '/guarded', headers: { authorization: 'yes' } },
  'an upload beyond the limit of the app': post('/upload', MULTIPART_TYPE, TOO_LARGE_MULTIPART),
};

export const HONO: Record<string, Ask> = {
  ...get('/null', '/headers-after', '/static-redirect', '/url?a=%20&b', '/a/../url/./?x', '/native', '/blob'),
  ...get('/exception-response', '/secure/x', '/auth/x', '/mounted/x/y', '/timeout'),
  CORS: { path: '/cors/x', headers: { origin: 'http://a.test' } },
  'a preflight': {
    method: 'OPTIONS',
    path: '/cors/x',
    headers: { origin: 'http://a.test', 'access-control-request-method': 'PUT' },
  },
  authorization: { path: '/auth/x', headers: { authorization: `Basic ${btoa('u:p')}` } },
  'a form with repeated names': post('/form', FORM_TYPE, 'a=1&a=2'),
  'a clone': post('/clone', undefined, 'cloned'),
  'a body that is read twice': post('/twice', undefined, 'x'),
  'a Request made of another': post('/rewrite', JSON_TYPE, '{}'),
  'a response of fetch': post('/fetch', undefined, 'forwarded'),
};

export const H3: Record<string, Ask> = {
  ...get('/blob', '/response', '/undefined', '/http-error', '/events-of-h3', '/iterable'),
};

export const ELYSIA: Record<string, Ask> = {
  ...get('/response', '/generator'),
  'a body that does not match': post('/validated', JSON_TYPE, '{"a":"x"}'),
};

export const ITTY: Record<string, Ask> = {
  CORS: { path: '/json', headers: { origin: 'http://a.test' } },
  'a preflight': { method: 'OPTIONS', path: '/json', headers: { origin: 'http://a.test' } },
};
