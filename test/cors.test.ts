import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp, HttpError } from 'loopshard';
import { createTestServer, inject, type TestServer } from 'loopshard/testing';

/* Pages of other origins. Browsers send preflights, and only let scripts read responses with `access-control-allow-origin`. */
const ORIGIN = 'https://shop.example';
const OTHER = 'https://elsewhere.example';
const silent = { error: () => {}, warn: () => {}, info: () => {} };

const app = createApp()
  .cors({ origins: [ORIGIN, 'http://localhost:5173'], credentials: true, exposedHeaders: ['x-total', 'etag'] })
  .use('/refused', () => {
    throw new HttpError(401);
  })
  .get('/value', () => ({ ok: true }))
  .post('/value', () => ({ ok: true }))
  .get('/refused', () => 'never')
  .get('/thrown', () => {
    throw new HttpError(409, 'Sold out.', { headers: { vary: 'cookie' } });
  })
  .get('/broken', (_req, res) => {
    res.header('x-lost', '1');
    throw new Error('on purpose');
  })
  .get('/validated', { query: { type: 'object', required: ['a'] } }, () => 'x')
  .get('/written', (_req, res) => void res.writer().beginObject().endObject())
  .get('/varies', (_req, res) => {
    res.header('vary', 'cookie');
    return 'x';
  })
  .get('/whole', () => new Response('x', { headers: { vary: 'accept' } }))
  .get('/streamed', async function* () {
    yield 'x';
  })
  .get('/late', { handlerTimeoutMs: 1 }, () => new Promise(() => {}))
  .get(
    '/limited',
    { maxConcurrency: 1, queueTimeoutMs: 250 },
    (req) => new Promise((resolve) => req.onAbort(() => resolve(1))),
  )
  .get('/tagged', (_req, res) => {
    res.etag('v1');
    return 'x';
  })
  .get('/own', () => 'x')
  .options('/own', (_req, res) => void res.header('x-own', 'yes'))
  .fixed('/fixed', 'x')
  .scope('/handled', (scope) => {
    scope.onError((_error, _req, res) => {
      res.status(418);
      return 'handled';
    });
    scope.notFound(() => 'nothing here');
    scope.get('/error', () => {
      throw new Error('on purpose');
    });
  });

let server: TestServer;

beforeAll(async () => {
  server = await createTestServer(app, { logger: silent, health: true, limits: { maxBodyBytes: 10 } });
});

afterAll(() => server.close());

describe('a response', () => {
  const RESPONSES: [status: number, method: string, url: string][] = [
    [200, 'GET', '/value'],
    [200, 'HEAD', '/value'],
    [401, 'GET', '/refused'],
    [409, 'GET', '/thrown'],
    [500, 'GET', '/broken'],
    [400, 'GET', '/validated'],
    [200, 'GET', '/written'],
    [200, 'GET', '/varies'],
    [200, 'GET', '/whole'],
    [200, 'GET', '/streamed'],
    [504, 'GET', '/late'],
    [200, 'GET', '/fixed'],
    [200, 'HEAD', '/fixed'],
    [200, 'GET', '/livez'],
    [418, 'GET', '/handled/error'],
    [404, 'GET', '/handled/nothing'],
    [404, 'GET', '/nothing'],
    [405, 'PUT', '/value'],
    [413, 'POST', '/value'],
    [204, 'OPTIONS', '/value'],
    [204, 'OPTIONS', '/own'],
  ];
  const request = (method: string, url: string, origin: string | undefined) =>
    server.inject({
      method: method as 'GET',
      url,
      headers: origin === undefined ? {} : { origin },
      ...(method === 'POST' && { payload: 'more than ten bytes' }),
    });

  test.each(RESPONSES)('%s to %s %s can be read by allowed origins', async (status, method, url) => {
    const { statusCode, headers } = await request(method, url, ORIGIN);
    expect(statusCode).toBe(status);
    expect(headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-total, etag',
      vary: expect.stringContaining('origin'),
    });
    expect(headers['x-lost']).toBe(undefined);
  });

  test.each(RESPONSES)(
    '%s to %s %s cannot be read by other origins, and caches store it separately',
    async (status, method, url) => {
      for (const origin of [OTHER, undefined, `${ORIGIN}.evil.example`]) {
        const { statusCode, headers } = await request(method, url, origin);
        expect(statusCode).toBe(status);
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
        expect(headers.vary).toEqual(expect.stringContaining('origin'));
      }
    },
  );

  test.each([
    ['/varies', 'origin, cookie'],
    ['/whole', 'origin, accept'],
    ['/thrown', 'origin, cookie'],
  ])('to %s keeps the vary header of its handler', async (url, vary) => {
    expect((await request('GET', url, ORIGIN)).headers.vary).toBe(vary);
  });

  test('503 can be read', async () => {
    const controller = new AbortController();
    const first = server.inject({ url: '/limited', signal: controller.signal });
    const { statusCode, headers } = await request('GET', '/limited', ORIGIN);
    expect([statusCode, headers['access-control-allow-origin']]).toEqual([503, ORIGIN]);
    controller.abort();
    await expect(first).rejects.toThrow();
  });

  test('304 can be read', async () => {
    for (const url of ['/tagged', '/fixed']) {
      const { headers } = await request('GET', url, ORIGIN);
      const again = await server.inject({ url, headers: { origin: ORIGIN, 'if-none-match': String(headers.etag) } });
      expect([again.statusCode, again.headers['access-control-allow-origin']]).toEqual([304, ORIGIN]);
    }
  });
});

describe('a preflight', () => {
  const preflight = (url: string, headers = {}) =>
    server.inject({
      method: 'OPTIONS',
      url,
      headers: { origin: ORIGIN, 'access-control-request-method': 'POST', ...headers },
    });

  test('gets the methods of the path, and permission for the headers it asks for', async () => {
    const { statusCode, headers, body } = await preflight('/value', {
      'access-control-request-headers': 'content-type,x-csrf',
    });
    expect([statusCode, body]).toEqual([204, '']);
    expect(headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST',
      'access-control-allow-headers': 'content-type,x-csrf',
      'access-control-max-age': '600',
      vary: 'origin',
    });
  });

  test.each(['/nothing', '/handled/nothing'])('allows the request to %s, so that its 404 can be read', async (url) => {
    const { statusCode, headers } = await preflight(url);
    expect(statusCode).toBe(204);
    expect(headers['access-control-allow-methods']).toEqual(expect.stringContaining('POST'));
    expect(headers['access-control-allow-headers']).toBe(undefined);
  });

  test('of another origin gets no permission', async () => {
    const { statusCode, headers } = await preflight('/value', { origin: OTHER });
    expect(statusCode).toBe(204);
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(headers.vary).toBe('origin');
  });

  test('is left to an OPTIONS route', async () => {
    expect((await preflight('/own')).headers).toMatchObject({ 'x-own': 'yes', 'access-control-allow-origin': ORIGIN });
  });

  test('can be limited to headers and a time', async () => {
    const strict = createApp().get('/', () => 'x');
    strict.cors({ origins: [ORIGIN], headers: ['content-type', 'x-csrf'], maxAgeSeconds: 0 });
    const { headers } = await inject(strict, {
      method: 'OPTIONS',
      url: '/',
      headers: { origin: ORIGIN, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-other' },
    });
    expect(headers).toMatchObject({
      'access-control-allow-headers': 'content-type, x-csrf',
      'access-control-max-age': '0',
    });
    expect(headers['access-control-allow-credentials']).toBe(undefined);
  });
});

test("with '*', every response allows all origins, so that caches store one for all", async () => {
  const open = createApp()
    .cors({ origins: '*' })
    .get('/', () => 'x');
  for (const url of ['/', '/nothing']) {
    for (const headers of [{}, { origin: OTHER }]) {
      const response = await inject(open, { url, headers });
      expect([response.headers['access-control-allow-origin'], response.headers.vary]).toEqual(['*', undefined]);
    }
  }
});

test('a mounted app keeps its CORS options', async () => {
  const outer = createApp().mount(
    '/inner',
    createApp()
      .cors({ origins: [ORIGIN] })
      .get('/a', () => 'x'),
  );
  const { headers } = await inject(outer, { url: '/inner/a', headers: { origin: ORIGIN } });
  expect(headers['access-control-allow-origin']).toBe(ORIGIN);
});

describe('app.cors()', () => {
  test.each<[string, unknown, string, string]>([
    [
      'nothing',
      undefined,
      'OPTION_INVALID',
      "`app.cors()` expects an object such as `{ origins: ['https://shop.example'] }`, got undefined.",
    ],
    [
      'no origins',
      {},
      'OPTION_INVALID',
      "`app.cors()` expects `origins` to be '*' or an array such as `['https://shop.example']`, got undefined.",
    ],
    [
      'one origin',
      { origins: ORIGIN },
      'OPTION_INVALID',
      "`origins` to be '*' or an array such as `['https://shop.example']`, got 'https://shop.example'.",
    ],
    [
      'a slash at the end',
      { origins: [`${ORIGIN}/`] },
      'OPTION_INVALID',
      "`app.cors()` expects each of `origins` to be scheme, host and port, as browsers send them, got 'https://shop.example/'. Did you mean 'https://shop.example'?",
    ],
    ['the default port', { origins: [`${ORIGIN}:443`] }, 'OPTION_INVALID', "Did you mean 'https://shop.example'?"],
    ['a host', { origins: ['shop.example'] }, 'OPTION_INVALID', "got 'shop.example'."],
    ['a regular expression', { origins: [/shop/] }, 'OPTION_INVALID', 'got /shop/.'],
    [
      'credentials for all',
      { origins: '*', credentials: true },
      'OPTION_INVALID',
      "`app.cors()` cannot allow `credentials` to all origins: browsers reject that. Name them: `origins: ['https://shop.example']`.",
    ],
    [
      'an invalid header name',
      { origins: '*', headers: ['a b'] },
      'OPTION_INVALID',
      "`headers` to be an array of header names, got [ 'a b' ].",
    ],
    [
      'invalid exposed headers',
      { origins: '*', exposedHeaders: 'etag' },
      'OPTION_INVALID',
      "`exposedHeaders` to be an array of header names, got 'etag'.",
    ],
    [
      'invalid credentials',
      { origins: [ORIGIN], credentials: 'include' },
      'OPTION_INVALID',
      "`credentials` to be true or false, got 'include'.",
    ],
    [
      'an invalid time',
      { origins: '*', maxAgeSeconds: -1 },
      'OPTION_INVALID',
      '`maxAgeSeconds` to be an integer from 0 to 86,400, got -1.',
    ],
    [
      'an option name of another library',
      { origin: ORIGIN },
      'OPTION_UNKNOWN',
      'Unknown option `origin` of `app.cors()`. All options: origins, credentials, headers, exposedHeaders, maxAgeSeconds.',
    ],
  ])('rejects %s', (_, options, code, message) => {
    const define = () => createApp().cors(options as never);
    expect(define).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  test('can be called only once', () => {
    const twice = () => createApp().cors({ origins: '*' }).cors({ origins: '*' });
    expect(twice).toThrow(
      '`app.cors()` was already called, and applies to the whole server. Call it once, with all `origins`.',
    );
  });
});
