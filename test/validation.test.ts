import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { Type } from '@sinclair/typebox';
import { type } from 'arktype';
import { createApp, type RouteOptions } from 'loopshard';
import * as TypeBox1 from 'typebox';
import * as v from 'valibot';
import { z } from 'zod';
import { Apps, type RunningApp } from './support/apps.js';
import { exchange, get, post, RawClient } from './support/client.js';
import { startServer, type TestServer } from './support/server.js';

const apps = new Apps();
afterAll(apps.close);

const JSON_FIELDS = { 'content-type': 'application/json' };
const send = ({ ask }: RunningApp, payload: unknown, headers: Record<string, string> = JSON_FIELDS) =>
  ask('/', { method: 'POST', payload: typeof payload === 'string' ? payload : JSON.stringify(payload), headers });

interface Problem {
  statusCode: number;
  code: string;
  message: string;
  issues: { in: string; path: string; message: string }[];
}

/* Schemas of each kind for a user whose age is optional. */
const bodies: [string, unknown][] = [
  [
    'JSON Schema',
    {
      type: 'object',
      properties: { name: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
      required: ['name', 'tags'],
    },
  ],
  ['TypeBox 0.34', Type.Object({ name: Type.String(), tags: Type.Array(Type.String()) })],
  [
    'TypeBox 1',
    TypeBox1.Type.Object({ name: TypeBox1.Type.String(), tags: TypeBox1.Type.Array(TypeBox1.Type.String()) }),
  ],
  ['zod', z.object({ name: z.string(), tags: z.array(z.string()) })],
  ['valibot', v.object({ name: v.string(), tags: v.array(v.string()) })],
  ['arktype', type({ name: 'string', tags: 'string[]' })],
  ['zod, async', z.object({ name: z.string(), tags: z.array(z.string()) }).refine(async () => true)],
  [
    'valibot, async',
    v.pipeAsync(
      v.objectAsync({ name: v.string(), tags: v.array(v.string()) }),
      v.checkAsync(async () => true),
    ),
  ],
];

describe.each(bodies)('a body by %s', (_name, body) => {
  const handler = jest.fn((req: { body: unknown }) => req.body);
  const start = () => apps.run(createApp().post('/', { body } as RouteOptions, handler as never));

  test('that matches reaches the handler', async () => {
    const response = await send(await start(), { name: 'Ada', tags: ['x'] });
    expect([response.statusCode, response.json()]).toEqual([200, { name: 'Ada', tags: ['x'] }]);
  });

  test('that does not match gets 400 with the paths, and the handler is not called', async () => {
    handler.mockClear();
    const running = await start();
    const wrong = (await send(running, { name: 'Ada', tags: ['x', 7] })).json<Problem>();
    expect(wrong).toMatchObject({
      statusCode: 400,
      code: 'REQUEST_INVALID',
      issues: [{ in: 'body', path: '/tags/1' }],
    });
    expect(wrong.message).toMatch(/^Invalid body at \/tags\/1: ./);
    const missing = (await send(running, { tags: [] })).json<Problem>();
    expect(missing).toMatchObject({ statusCode: 400, issues: [{ in: 'body', path: '/name' }] });
    expect((await send(running, 'null')).statusCode).toBe(400);
    expect(handler).not.toHaveBeenCalled();
    expect(running.logged).toEqual([]);
  });
});

describe('params, query and headers', () => {
  const int = { type: 'integer', minimum: 1 };
  const cases: [string, RouteOptions][] = [
    [
      'JSON Schema, which converts',
      {
        params: { type: 'object', properties: { id: int } },
        query: {
          type: 'object',
          properties: {
            limit: { type: 'integer', default: 10 },
            tags: { type: 'array', items: { type: 'string' } },
            deep: { type: 'boolean' },
          },
        },
        headers: { type: 'object', properties: { 'x-count': int }, required: ['x-count'] },
      },
    ],
    [
      'zod, which converts itself',
      {
        params: z.object({ id: z.coerce.number().int().min(1) }),
        query: z.object({
          limit: z.coerce.number().default(10),
          tags: z.union([z.array(z.string()), z.string().transform((one) => [one])]).optional(),
          deep: z.stringbool().optional(),
        }),
        headers: z.looseObject({ 'x-count': z.coerce.number().int().min(1) }),
      },
    ],
  ];

  test.each(cases)('by %s', async (_name, options) => {
    const app = createApp().get('/users/:id', options, (req) => {
      const { params, query, headers } = req as unknown as Record<string, Record<string, unknown>>;
      return { params, query, count: headers['x-count'] };
    });
    const { ask } = await apps.run(app);
    const good = await ask('/users/7?tags=a&deep=true', { headers: { 'x-count': '3' } });
    expect(good.json()).toEqual({ params: { id: 7 }, query: { limit: 10, tags: ['a'], deep: true }, count: 3 });
    for (const [url, part, path] of [
      ['/users/x', 'params', '/id'],
      ['/users/0', 'params', '/id'],
      ['/users/7?limit=many', 'query', '/limit'],
    ]) {
      const { issues } = (await ask(url, { headers: { 'x-count': '3' } })).json<Problem>();
      expect(issues).toMatchObject([{ in: part, path }]);
    }
    const { issues } = (await ask('/users/7')).json<Problem>();
    expect(issues).toMatchObject([{ in: 'headers', path: '/x-count' }]);
  });

  test('are converted without changing the unconverted originals', async () => {
    const app = createApp()
      .use(async (req, _res, next) => {
        const before = req.query.a;
        const value = (await next()) as object;
        return { ...value, before };
      })
      .get('/', { query: { type: 'object', properties: { a: { type: 'integer' } } } }, (req) => ({
        inside: (req.query as { a: number }).a,
        target: req.target,
      }));
    const { ask } = await apps.run(app);
    expect((await ask('/?a=1')).json()).toEqual({ inside: 1, target: '/?a=1', before: '1' });
  });

  test('do not exist just because Object.prototype has the name', async () => {
    const query = { type: 'object', required: ['toString', 'constructor'] };
    const { ask } = await apps.run(createApp().get('/', { query }, () => 'x'));
    expect((await ask('/')).json<Problem>().issues).toMatchObject([{ in: 'query', path: '/toString' }]);
    expect((await ask('/?toString=1&constructor=2')).statusCode).toBe(200);
  });

  test('are checked in this order, then the body', async () => {
    const never = { type: 'object', required: ['never'] };
    const handler = () => 'x';
    const app = createApp()
      .post('/a', { params: never, query: never, headers: never, body: never }, handler)
      .post('/b', { query: never, headers: never, body: never }, handler)
      .post('/c', { headers: never, body: never }, handler)
      .post('/d', { body: never }, handler);
    const { ask } = await apps.run(app);
    const parts = ['/a', '/b', '/c', '/d'].map(async (url) => {
      const response = await ask(url, { method: 'POST', payload: {} });
      return response.json<Problem>().issues[0].in;
    });
    expect(await Promise.all(parts)).toEqual(['params', 'query', 'headers', 'body']);
  });

  test('report unexpected properties by path', async () => {
    const query = { type: 'object', properties: { a: {} }, additionalProperties: false };
    const { ask } = await apps.run(createApp().get('/', { query }, () => 'x'));
    expect((await ask('/?a=1&b~/=2')).json<Problem>().issues).toMatchObject([{ in: 'query', path: '/b~0~1' }]);
  });
});

describe('a JSON body', () => {
  const start = (body: unknown = true) =>
    apps.run(createApp().post('/', { body } as RouteOptions, (req) => ({ body: req.body }) as object));

  test.each([
    ['application/json', 200],
    ['Application/JSON; charset=utf-8', 200],
    ['application/problem+json', 200],
    ['application/json;', 200],
    ['text/plain', 415],
    ['application/jsonp', 415],
    ['application/x-www-form-urlencoded', 415],
    ['text/json', 415],
    ['multipart/form-data; boundary=application/json', 415],
  ])('of the type %s: %d', async (contentType, status) => {
    const response = await send(await start(), '{"a":1}', { 'content-type': contentType });
    expect(response.statusCode).toBe(status);
    if (status !== 415) return;
    expect(response.json()).toMatchObject({
      code: 'UNSUPPORTED_MEDIA_TYPE',
      message: `Unsupported content type \`${contentType}\`: expected \`application/json\`.`,
    });
    expect(response.headers.accept).toBe('application/json');
  });

  test('without a type gets 415', async () => {
    const response = await send(await start(), '{}', {});
    expect(response.json()).toMatchObject({ statusCode: 415, message: expect.stringContaining('(none)') });
  });

  test.each([
    ['{"__proto__":{"admin":true}}'],
    ['{"a":[{"__proto__":1}]}'],
    ['{"\\u005f_proto__":1}'],
    ['{"constructor":{"prototype":{"admin":true}}}'],
    ['{'],
    [''],
    ['{"a":1}x'],
    ['NaN'],
  ])('%j gets 400', async (payload) => {
    const response = await send(await start(), payload);
    expect(response.json()).toMatchObject({ statusCode: 400, code: 'BODY_INVALID' });
    expect(({} as { admin?: true }).admin).toBeUndefined();
  });

  test('has defaults, and is not converted', async () => {
    const body = { type: 'object', properties: { a: { type: 'integer' }, b: { default: 'x' } } };
    const running = await start(body);
    expect((await send(running, { a: 1 })).json()).toEqual({ body: { a: 1, b: 'x' } });
    expect((await send(running, { a: '1' })).json<Problem>().issues).toMatchObject([{ in: 'body', path: '/a' }]);
  });

  test('is the output of a Standard Schema', async () => {
    const running = await start(
      z.object({ a: z.string().transform((text) => text.length), extra: z.never().optional() }),
    );
    expect((await send(running, { a: 'four', other: 1 })).json()).toEqual({ body: { a: 4 } });
  });

  test('may be checked by each draft, with formats and references', async () => {
    const drafts = [
      'http://json-schema.org/draft-07/schema#',
      'https://json-schema.org/draft/2019-09/schema',
      'https://json-schema.org/draft/2020-12/schema',
    ];
    for (const $schema of drafts) {
      const running = await start({
        $schema,
        definitions: { email: { type: 'string', format: 'email' } },
        type: 'object',
        properties: { email: { $ref: '#/definitions/email' } },
      });
      expect((await send(running, { email: 'a@b.test' })).statusCode).toBe(200);
      expect((await send(running, { email: 'nobody' })).json<Problem>().issues).toMatchObject([{ path: '/email' }]);
    }
  });

  test('is not available without a schema, and the error gives advice', async () => {
    const { ask, logged } = await apps.run(createApp().post('/', (req) => req.body as object));
    expect((await ask('/', { method: 'POST', payload: {} })).statusCode).toBe(500);
    expect(logged[0].details.err).toMatchObject({
      code: 'BODY_NOT_VALIDATED',
      message:
        '`req.body` needs a `body` schema on the route. Add one, or use `req.json()`, `req.text()` or `req.bytes()`.',
    });
  });

  test('may have any type for req.json() without a schema, but __proto__ is rejected', async () => {
    const running = await apps.run(createApp().post('/', (req) => ({ got: req.json() })));
    expect((await send(running, '{"a":1}', {})).json()).toEqual({ got: { a: 1 } });
    expect((await send(running, '{"__proto__":1}', {})).statusCode).toBe(400);
  });

  test('that is invalid goes to the error handler of the app', async () => {
    const running = await apps.run(
      createApp()
        .onError((error, _req, res) => {
          const { statusCode, details } = error as { statusCode: number; details: object };
          res.status(422);
          return { was: statusCode, details };
        })
        .post('/', { body: { type: 'object', required: ['a'] } }, () => 'x'),
    );
    const response = await send(running, {});
    expect([response.statusCode, response.json()]).toMatchObject([
      422,
      { was: 400, details: { issues: [{ path: '/a' }] } },
    ]);
  });
});

describe('a schema', () => {
  test.each<[string, unknown]>([
    ['a string', 'streams'],
    ['a number', 7],
    ['null', null],
    ['an array', []],
    ['an unknown type', { type: 'strin' }],
    ['an unresolvable reference', { $ref: '#/$defs/nothing' }],
    ['an invalid pattern', { type: 'string', pattern: '(' }],
  ])('that is %s is rejected when the route is defined', (_name, body) => {
    expect(() => createApp().post('/a', { body } as RouteOptions, () => 'x')).toThrow(
      expect.objectContaining({
        code: 'SCHEMA_INVALID',
        message: expect.stringMatching(/^Schema of `body` of POST \/a: /),
      }),
    );
  });

  test('that throws is an error of the server', async () => {
    const broken = { '~standard': { version: 1, vendor: 'x', validate: () => Promise.reject(new Error('broken')) } };
    const { ask, logged } = await apps.run(createApp().get('/', { query: broken } as RouteOptions, () => 'x'));
    expect((await ask('/')).statusCode).toBe(500);
    expect(logged[0].details.err!.message).toBe('broken');
  });

  test('does not affect routes without one', () => {
    const handler = () => 'x';
    const app = createApp().get('/', { compress: false }, handler);
    const found = (app as unknown as Record<symbol, { route(number: number): { handler: unknown } }>)[
      Symbol.for('loopshard.app')
    ];
    expect(found.route(0).handler).toBe(handler);
  });
});

describe('the limit of a request body', () => {
  let running: TestServer;
  afterAll(() => running.server.close());

  test.each([
    ['/server', 100],
    ['/none', 0],
    ['/ten', 10],
    ['/more', 1_000],
    ['/streamed-ten', 10],
    ['/streamed-none', 0],
  ])('of %s is exactly %d bytes, however they are sent', async (path, limit) => {
    running ??= await startServer({ shards: 1, limits: { maxBodyBytes: 100 } }, 'limits.js');
    const chunked = (bytes: number) =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `${bytes === 0 ? '' : `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`}0\r\n\r\n`;
    for (const request of [(bytes: number) => post(path, 'x'.repeat(bytes)), chunked]) {
      const fits = await exchange(running.port, request(limit));
      expect([fits.status, fits.body.toString()]).toEqual([200, String(limit)]);
      expect((await exchange(running.port, request(limit + 1))).status).toBe(413);
    }
    const bodiless = await exchange(running.port, get(path).replace('GET', 'POST'));
    expect([bodiless.status, bodiless.body.toString()]).toEqual([200, '0']);
  });

  test('does not exist for a stream by default, and with Infinity', async () => {
    running ??= await startServer({ shards: 1, limits: { maxBodyBytes: 100 } }, 'limits.js');
    for (const path of ['/streamed', '/streamed-any']) {
      const client = await RawClient.open(running.port);
      client.write(post(path, 'x'.repeat(1_000_000)));
      expect((await client.response()).body.toString()).toBe('1000000');
      client.destroy();
    }
  });

  test.each([-1, 1.5, Number.NaN, '10', 2 ** 31, Number.POSITIVE_INFINITY])('cannot be %p', (maxBodyBytes) => {
    expect(() => createApp().post('/', { maxBodyBytes: maxBodyBytes as number }, () => 'x')).toThrow(
      expect.objectContaining({ code: 'ROUTE_INVALID', message: expect.stringContaining('`maxBodyBytes`') }),
    );
  });

  test('of the server may be 0, which rejects every body', async () => {
    const { server, port } = await startServer({ shards: 1, limits: { maxBodyBytes: 0 } }, 'limits.js');
    expect((await exchange(port, post('/server', 'x'))).status).toBe(413);
    expect((await exchange(port, post('/server', ''))).status).toBe(200);
    expect((await exchange(port, post('/ten', 'x'))).status).toBe(200);
    await server.close();
  });
});
