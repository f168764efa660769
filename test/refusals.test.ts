import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { createApp, type RefusalOptions, type ServeOptions } from 'loopshard';
import { Refusals } from '../build/src/http/refusals.js';
import { Apps } from './support/apps.js';
import { exchange, field, get, post, RawClient, type RawResponse } from './support/client.js';
import { startServer, type TestServer, untilStarted } from './support/server.js';

const apps = new Apps();
afterAll(apps.close);
let running: TestServer | undefined;
afterEach(async () => {
  await running?.server.close();
  running = undefined;
});

const MINE = 'https://shop.test';
const start = async (options: ServeOptions = {}) => {
  running = await startServer({ shards: 1, httpThreads: 1, ...options }, 'refusals.js');
  return running;
};
const cors = (response: RawResponse) => [field(response, 'access-control-allow-origin'), field(response, 'vary')];
const all = (response: RawResponse, name: string) =>
  response.fields.filter(([key]) => key === name).map(([, value]) => value);

/* All responses that the HTTP thread sends itself, with the requests that cause them. */
const refusals: [string, number, ServeOptions, (server: TestServer) => Promise<RawResponse>][] = [
  ['NOT_FOUND', 404, {}, ({ port }) => exchange(port, get('/nowhere', `Origin: ${MINE}`))],
  ['METHOD_NOT_ALLOWED', 405, {}, ({ port }) => exchange(port, post('/get', '', `Origin: ${MINE}`))],
  [
    'BODY_TOO_LARGE',
    413,
    { limits: { maxBodyBytes: 3 } },
    ({ port }) => exchange(port, post('/post', 'long', `Origin: ${MINE}`)),
  ],
  ['QUEUE_FULL', 503, { scheduling: { permits: 1, batch: 1, maxQueue: 1 } }, (server) => queued(server, 'QUEUE_FULL')],
  [
    'QUEUE_TIMEOUT',
    503,
    { scheduling: { permits: 1 }, timeouts: { queueTimeoutMs: 50 } },
    (server) => queued(server, 'QUEUE_TIMEOUT'),
  ],
  [
    'HANDLER_TIMEOUT',
    504,
    { timeouts: { handlerTimeoutMs: 50 } },
    ({ port }) => exchange(port, get('/wait', `Origin: ${MINE}`)),
  ],
];

/** Sends requests while the only permit is taken, until the server rejects one. */
async function queued(server: TestServer, code: string): Promise<RawResponse> {
  const { port } = server;
  const clients = [await RawClient.open(port)];
  clients[0].write(get('/wait'));
  await untilStarted(server, 1);
  try {
    for (;;) {
      const client = await RawClient.open(port);
      clients.push(client);
      client.write(get('/get', `Origin: ${MINE}`));
      const isLast = code === 'QUEUE_TIMEOUT' || clients.length > 2;
      if (!isLast) continue;
      const response = await client.response();
      if (response.body.toString().includes(code)) return response;
    }
  } finally {
    for (const client of clients) client.socket.resetAndDestroy();
  }
}

describe('a refusal', () => {
  test.each(refusals)(
    '%s (%d) has the headers and the origin set by the app',
    async (code, status, options, provoke) => {
      const response = await provoke(await start(options));
      expect(response.status).toBe(status);
      expect(cors(response)).toEqual([MINE, 'origin']);
      expect(field(response, 'x-refused')).toBe('yes');
      expect(JSON.parse(response.body.toString())).toMatchObject({ statusCode: status, code });
      expect(all(response, 'retry-after')).toEqual(status === 503 ? ['7'] : []);
    },
  );

  test.each<[string, string, number, string]>([
    ['a bad request', 'GET / HTTP/1.1\r\nHost: x\r\nBad Field: x\r\n\r\n', 400, 'BAD_REQUEST'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'BAD_HOST'],
    ['a bad target', 'GET /a"b HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'BAD_TARGET'],
    ['large headers', `GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(70_000)}\r\n\r\n`, 431, 'HEAD_TOO_LARGE'],
    ['another version', 'GET / HTTP/1.2\r\nHost: x\r\n\r\n', 505, 'VERSION_NOT_SUPPORTED'],
    [
      'another expectation',
      'POST /post HTTP/1.1\r\nHost: x\r\nExpect: x\r\nContent-Length: 1\r\n\r\n',
      417,
      'EXPECTATION_FAILED',
    ],
  ])('of the parser, for %s, has its headers', async (_name, bytes, status, code) => {
    const { port } = await start();
    const response = await exchange(port, bytes);
    expect([response.status, field(response, 'x-refused'), field(response, 'vary')]).toEqual([status, 'yes', 'origin']);
    expect(JSON.parse(response.body.toString())).toMatchObject({ code });
  });

  test('allows no other origin, and varies by origin', async () => {
    const { port } = await start();
    for (const fields of [[], ['Origin: https://evil.test'], ['Origin: null'], [`Origin: ${MINE}.evil.test`]]) {
      expect(cors(await exchange(port, get('/nowhere', ...fields)))).toEqual([undefined, 'origin']);
    }
    const head = await exchange(port, get('/nowhere', `Origin: ${MINE}`).replace('GET', 'HEAD'), false);
    expect([head.status, ...cors(head)]).toEqual([404, MINE, 'origin']);
    expect(Number(field(head, 'content-length'))).toBeGreaterThan(0);
  });

  test('does not affect responses of handlers', async () => {
    const { port } = await start();
    const response = await exchange(port, get('/get', `Origin: ${MINE}`));
    expect([response.status, field(response, 'x-refused')]).toEqual([200, undefined]);
  });
});

test('with the status of the option `shed` uses the template of that status', () => {
  const template = { type: 'text/plain', lines: [] };
  const made = new Refusals({
    status: 429,
    retryAfterSeconds: 3,
    keepAliveLines: '',
    requestId: undefined,
    cors: undefined,
    templates: [
      { ...template, status: '503', body: 'busy' },
      { ...template, status: '429', body: '{statusCode} {code}' },
    ],
  });
  const answer = (reason: 'OVERLOADED' | 'QUEUE_FULL') => made.answer(reason, { isHead: false }).bytes.toString();
  const shed = answer('OVERLOADED');
  expect(shed).toMatch(/^HTTP\/1\.1 429 /);
  expect(shed).toContain('\r\nretry-after: 3\r\n');
  expect(shed).toMatch(/\r\n\r\n429 OVERLOADED$/);
  expect(answer('QUEUE_FULL')).toMatch(/\r\n\r\nbusy$/);
});

describe('templates', () => {
  const body = async (templates: RefusalOptions[], url = '/nowhere', method = 'GET') => {
    const app = createApp()
      .get('/get', () => 'x')
      .get('/slow', { handlerTimeoutMs: 20 }, (req) => new Promise((resolve) => req.onAbort(() => resolve('x'))));
    for (const template of templates) app.refusals(template);
    const { ask } = await apps.run(app);
    return ask(url, { method });
  };

  test('of a status precede those of its class, and these those of all; the last one of several is used', async () => {
    const templates: RefusalOptions[] = [
      { status: 404, body: 'not found, first' },
      { status: 404, body: 'not found' },
      { status: '4xx', body: 'four' },
      { body: 'all' },
      { status: '5xx', body: 'five' },
    ];
    expect((await body(templates)).body).toBe('not found');
    expect((await body(templates, '/get', 'POST')).body).toBe('four');
    expect((await body(templates, '/slow')).body).toBe('five');
    expect((await body(templates.slice(3), '/get', 'POST')).body).toBe('all');
  });

  test('have their placeholders replaced, within JSON as JSON', async () => {
    const text = '{"error":{"status":{statusCode},"code":"{code}","message":"{message}","other":"{x} {{code}}"}}';
    const json = await body([{ body: text, type: 'application/problem+json' }]);
    expect(json.headers['content-type']).toBe('application/problem+json');
    expect(json.headers['content-length']).toBe(String(json.rawPayload.length));
    expect(json.json()).toEqual({
      error: { status: 404, code: 'NOT_FOUND', message: 'No route matches this path.', other: '{x} {NOT_FOUND}' },
    });
    const html = await body([{ body: '<p>ü {message}', type: 'text/html; charset=utf-8' }]);
    expect([html.headers['content-type'], html.body]).toEqual([
      'text/html; charset=utf-8',
      '<p>ü No route matches this path.',
    ]);
    expect((await body([{ body: '' }])).body).toBe('');
  });

  test('replace retry-after', async () => {
    const server = await start({ scheduling: { permits: 1, batch: 1, maxQueue: 1 } });
    expect(all(await queued(server, 'QUEUE_FULL'), 'retry-after')).toEqual(['7']);
  });

  test.each<[string, unknown, string]>([
    ['nothing', undefined, '`app.refusals()` expects an object'],
    ['an unknown option', { statuses: 404 }, 'Unknown option `statuses` of `app.refusals()`.'],
    ['a success', { status: 200 }, 'expects `status` to be an integer from 400 to 599'],
    ['a class of successes', { status: '2xx' }, 'expects `status` to be an integer from 400 to 599'],
    ['an invalid body', { body: {} }, 'expects `body` to be a string'],
    ['a line break', { headers: { 'x-a': 'a\r\nb' } }, 'Invalid value of the header `x-a`'],
    ['a value that is not text', { headers: { 'x-a': 7 } }, 'Invalid value of the header `x-a`'],
    ['an invalid name', { headers: { 'x a': 'a' } }, 'Invalid header name'],
    ['a header of the server', { headers: { Connection: 'close' } }, 'Cannot set the header `connection` of refusals'],
    ['a second allow', { headers: { Allow: 'GET' } }, 'Cannot set the header `allow` of refusals'],
    ['an invalid type', { type: 'a\nb' }, 'content-type'],
  ])('with %s are rejected at the start', (_name, options, message) => {
    expect(() => createApp().refusals(options as RefusalOptions)).toThrow(message);
  });
});

describe('OPTIONS routes', () => {
  const preflight = () =>
    createApp()
      .options('*', (_req, res) => void res.header('x-preflight', 'yes'))
      .get('/get', () => 'x')
      .put('/get', () => 'x')
      .options('/own', () => 'x');

  test('for all paths do not turn 404 into 405', async () => {
    const { ask } = await apps.run(preflight());
    for (const method of ['GET', 'POST', 'DELETE']) expect((await ask('/nowhere', { method })).statusCode).toBe(404);
    expect((await ask('/own')).statusCode).toBe(404);
    expect((await ask('/nowhere', { method: 'OPTIONS' })).headers['x-preflight']).toBe('yes');
  });

  test('name each method once in Allow', async () => {
    const { ask } = await apps.run(preflight());
    const response = await ask('/get', { method: 'POST' });
    expect([response.statusCode, response.headers.allow]).toEqual([405, 'GET, HEAD, PUT, OPTIONS']);
    const { port } = await start();
    expect(all(await exchange(port, post('/get', '')), 'allow')).toEqual(['GET, HEAD, OPTIONS']);
    const options = await exchange(port, get('/get').replace('GET', 'OPTIONS'));
    expect([options.status, all(options, 'allow')]).toEqual([204, ['GET, HEAD, OPTIONS']]);
  });

  test('leave unknown paths to notFound', async () => {
    const { ask } = await apps.run(preflight().notFound(() => 'mine'));
    const response = await ask('/nowhere', { method: 'POST' });
    expect([response.statusCode, response.body]).toEqual([404, 'mine']);
  });
});
