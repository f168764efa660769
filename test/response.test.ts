import { inspect } from 'node:util';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createApp, type Handler, HttpError, type ShardResponse } from 'loopshard';
import { Apps } from './support/apps.js';
import { exchange, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

const apps = new Apps();
afterAll(apps.close);

/** Returns the response of a handler, without a socket, and its log. */
async function answer(handler: Handler, headers: Record<string, string> = {}) {
  const { ask, logged } = await apps.run(createApp().get('/', handler));
  return { response: await ask('/', { headers }), logged };
}

/** Untyped, as in JavaScript. */
// biome-ignore lint/suspicious/noExplicitAny: the tests try what types forbid
const untyped = (res: ShardResponse): any => res;

async function expectFailure(handler: Handler, code: string, message: string | RegExp): Promise<void> {
  const { response, logged } = await answer(handler);
  expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([500, 'HANDLER_FAILED']);
  expect(logged[0].details.err).toMatchObject({ code, message: expect.stringMatching(message) });
}

describe('res', () => {
  test('has only public members', async () => {
    const { response } = await answer((_req, res) => {
      res.status(201).header('x-a', '1').etag('v1');
      return {
        keys: Object.keys(res),
        ownKeys: Reflect.ownKeys(res).length,
        json: JSON.stringify(res),
        shown: inspect(res, { depth: 9, showHidden: true }),
        names: Object.getOwnPropertyNames(Object.getPrototypeOf(res)).sort(),
      };
    });
    expect(response.json()).toEqual({
      keys: [],
      ownKeys: 0,
      json: '{}',
      shown: '{ statusCode: 201 }',
      names: [
        ...['append', 'clearCookie', 'constructor', 'cookie', 'destroy', 'etag', 'fresh', 'getHeader', 'header'],
        ...['redirect', 'removeHeader', 'status', 'statusCode', 'type', 'writer'],
      ],
    });
  });

  test('has no `set` that bypasses the checks', async () => {
    const { response, logged } = await answer((_req, res) => untyped(res).set('x', 'v\r\nx-injected: 1'));
    expect([response.statusCode, response.headers['x-injected']]).toEqual([500, undefined]);
    expect(logged[0].details.err!.message).toMatch(/set is not a function/);
  });

  test('does not send properties that are assigned to it', async () => {
    const { response } = await answer((_req, res) => {
      Object.assign(res, { contentType: 'text/evil\r\nx-injected: 1', fields: [['x-injected', '1']], isSealed: true });
      return 'x';
    });
    expect([response.statusCode, response.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(response.headers).not.toHaveProperty('x-injected');
  });

  test('checks an assigned status', async () => {
    await expectFailure(
      (_req, res) => void (untyped(res).statusCode = 999),
      'STATUS_INVALID',
      /from 200 to 599, got 999/,
    );
    const { response } = await answer((_req, res) => void (untyped(res).statusCode = 202));
    expect(response.statusCode).toBe(202);
  });

  test.each([199, 600, 200.5, '200', Number.NaN, undefined])('rejects the status %p', async (status) => {
    await expectFailure((_req, res) => void res.status(status as number), 'STATUS_INVALID', /^Invalid status/);
  });

  test('cannot be returned as the body', async () => {
    await expectFailure((_req, res) => res.status(201), 'RESPONSE_INVALID', /^The handler returned `res`, which JSON/);
    await expectFailure((_req, res) => ({ res }), 'RESPONSE_INVALID', /^The handler returned `res` at \/res/);
    await expectFailure((req) => [[req]], 'RESPONSE_INVALID', /^The handler returned `req` at \/0\/0/);
  });

  test('cannot be changed once the request is finished', async () => {
    let kept: ShardResponse | undefined;
    await answer((_req, res) => {
      kept = res;
    });
    for (const change of [() => kept!.status(201), () => kept!.header('a', 'b'), () => kept!.writer()]) {
      expect(change).toThrow(expect.objectContaining({ code: 'REQUEST_FINISHED' }));
    }
    expect(() => kept!.destroy()).not.toThrow();
  });
});

describe('headers', () => {
  test('are set, added and removed', async () => {
    const seen: unknown[] = [];
    const { response } = await answer((_req, res) => {
      res.header('X-Set', 'one').header('x-set', 'two');
      res.header('x-number', 7).header('x-several', ['a', 'b']).append('x-several', 'c');
      res.header('set-cookie', ['a=1', 'b=2']).append('Set-Cookie', 'c=3').header('set-cookie', 'd=4');
      res.header('x-gone', 'x').removeHeader('X-Gone').removeHeader('x-never');
      res.header('x-emptied', 'x').header('x-emptied', []);
      res.type('text/x').removeHeader('content-type').etag('v1').removeHeader('etag');
      seen.push(
        res.getHeader('X-SET'),
        res.getHeader('x-several'),
        res.getHeader('set-cookie'),
        res.getHeader('x-gone'),
      );
      seen.push(res.type('text/y').getHeader('content-type'));
      return 'x';
    });
    expect(seen).toEqual(['two', ['a', 'b', 'c'], ['a=1', 'b=2', 'c=3', 'd=4'], undefined, 'text/y']);
    expect(response.headers).toMatchObject({
      'x-set': 'two',
      'x-number': '7',
      'x-several': 'a, b, c',
      'set-cookie': ['a=1', 'b=2', 'c=3', 'd=4'],
      'content-type': 'text/y; charset=utf-8',
    });
    for (const name of ['x-gone', 'x-emptied', 'etag']) expect(response.headers).not.toHaveProperty(name);
  });

  test('with several values are sent as separate headers', async () => {
    const { port, server } = await startServer({ shards: 1 }, 'responses.js');
    const { fields } = await exchange(port, get('/several'));
    expect(fields.filter(([name]) => name.startsWith('x-') || name === 'set-cookie')).toEqual([
      ['x-several', 'a'],
      ['x-several', 'b'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]);
    await server.close();
  });

  const bad = ['a\r\nx-injected: 1', 'a\nb', 'a\0', 'a\x7f', 'a\x01', '€'];
  test.each<[string, (res: ShardResponse, value: string) => unknown]>([
    ['header()', (res, value) => res.header('x-a', value)],
    ['header() with an array', (res, value) => res.header('x-a', ['fine', value])],
    ['append()', (res, value) => res.append('x-a', value)],
    ['type()', (res, value) => res.type(value)],
    ['header() for content-type', (res, value) => res.header('content-type', value)],
    ['etag()', (res, value) => res.etag(value)],
    ['cookie() by name', (res, value) => res.cookie(value, 'x')],
    ['cookie() by path', (res, value) => res.cookie('x', 'x', { path: value })],
    ['cookie() by domain', (res, value) => res.cookie('x', 'x', { domain: value })],
    ['header() by name', (res, value) => res.header(value, 'x')],
  ])('cannot be injected by %s', async (_name, set) => {
    for (const value of bad) {
      await expectFailure((_req, res) => void set(res, value), 'HEADER_INVALID', /./);
      await apps.close();
    }
  });

  test('cannot be injected by a `Response`, a `Blob` or an error', async () => {
    await expectFailure(() => new Response('x', { headers: { 'x-a': 'a\x01' } }), 'HEADER_INVALID', /`x-a`/);
    const error = Object.assign(new Error('x'), {
      statusCode: 404,
      headers: { 'x-a': 'a\r\nx-injected: 1', 'x-b': 'b' },
    });
    const { response } = await answer(() => Promise.reject(error));
    expect([response.statusCode, response.headers['x-b']]).toEqual([404, 'b']);
    for (const name of ['x-a', 'x-injected']) expect(response.headers).not.toHaveProperty(name);
  });

  test('reject a content type that is too long, wherever it is set', async () => {
    const type = `a/${'b'.repeat(1_100)}`;
    const message = 'Invalid content type: expected at most 1024 characters, got 1102.';
    await expectFailure((_req, res) => void res.type(type), 'HEADER_INVALID', message);
    await expectFailure(() => new Response('x', { headers: { 'content-type': type } }), 'HEADER_INVALID', message);
    await expectFailure(() => new Blob(['x'], { type }), 'HEADER_INVALID', message);
  });

  test.each(['transfer-encoding', 'Connection', 'keep-alive', 'date', 'upgrade', '', 'a b', 'a:', undefined])(
    'cannot be named %p',
    async (name) => {
      await expectFailure((_req, res) => void res.header(name as string, 'x'), 'HEADER_INVALID', /header/);
    },
  );

  test.each([undefined, null, true, {}, ['a', 1], () => 'x'])('cannot have the value %p', async (value) => {
    for (const name of ['x-a', 'content-type', 'content-length']) {
      await expectFailure((_req, res) => void res.header(name, value as never), 'HEADER_INVALID', /Invalid/);
    }
  });

  test('that are too large are an error, and the shard survives', async () => {
    const { ask, logged } = await apps.run(
      createApp()
        .get('/response', (_req, res) => void res.header('x-a', 'a'.repeat(70_000)))
        .get('/error', () => {
          throw new HttpError(404, 'none', { headers: { 'x-a': 'a'.repeat(70_000) } });
        })
        .get('/fine', () => 'x')
        .scope('/kept', (kept) =>
          kept
            .onError(() => 'handled', { keepHeaders: true })
            .get('/', (_req, res) => void res.header('x-a', 'a'.repeat(70_000))),
        ),
    );
    for (const [path, status] of [
      ['/response', 500],
      ['/error', 404],
      ['/kept', 500],
      ['/fine', 200],
    ] as const) {
      expect([path, (await ask(path)).statusCode]).toEqual([path, status]);
    }
    expect(logged.map(({ message }) => message)).toEqual(['GET /response failed', 'GET /kept failed']);
  });
});

describe('redirect', () => {
  test.each([
    ['/a b?c=d&e=ü', '/a%20b?c=d&e=%C3%BC'],
    ['https://shop.test/%20%zz', 'https://shop.test/%20%zz'],
    ['/\r\nx-injected: 1', '/%0D%0Ax-injected:%201'],
    ['/\ud800', '/%EF%BF%BD'],
    ['', ''],
  ])('to %j has the location %s', async (url, location) => {
    const { response } = await answer((_req, res) => void res.redirect(url));
    expect([response.statusCode, response.headers.location, response.body]).toEqual([302, location, '']);
    expect(response.headers).not.toHaveProperty('x-injected');
  });

  test('accepts a status from 300 to 399 only', async () => {
    const { response } = await answer((_req, res) => void res.redirect('/', 308));
    expect(response.statusCode).toBe(308);
    for (const status of [200, 299, 400, '301', 301.5]) {
      await expectFailure((_req, res) => void res.redirect('/', status as number), 'STATUS_INVALID', /of a redirect/);
    }
    await expectFailure((_req, res) => void res.redirect(undefined as never), 'HEADER_INVALID', /URL of a redirect/);
  });
});

describe('cookies', () => {
  test('are set with attributes, each in its own header', async () => {
    const expires = new Date(0);
    const { response } = await answer((_req, res) => {
      res.cookie('a', 'one two; ü', { httpOnly: true, secure: true, sameSite: 'strict', path: '/', maxAge: 60 });
      res.cookie('b', '', { expires, domain: 'shop.test', partitioned: true, priority: 'high' });
      res.clearCookie('c', { path: '/x', maxAge: 5 });
      return 'x';
    });
    expect(response.headers['set-cookie']).toEqual([
      'a=one%20two%3B%20%C3%BC; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Strict',
      'b=; Domain=shop.test; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Partitioned; Priority=High',
      'c=; Path=/x; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    ]);
  });

  test('are returned by the client unchanged', async () => {
    const value = 'a b;c,"d"=ü%';
    const { ask } = await apps.run(
      createApp()
        .get('/set', (_req, res) => void res.cookie('name', value))
        .get('/get', (req) => req.cookies.name ?? 'none'),
    );
    const [line] = (await ask('/set')).headers['set-cookie']!;
    expect((await ask('/get', { headers: { cookie: line } })).body).toBe(value);
  });
});

describe('fresh', () => {
  test('is true if the client has what the tag names, so that no body is needed', async () => {
    let made = 0;
    const { ask } = await apps.run(
      createApp().get('/', (_req, res) => {
        res.etag('v1');
        if (res.fresh) return undefined;
        made++;
        return 'body';
      }),
    );
    expect((await ask('/')).body).toBe('body');
    const again = await ask('/', { headers: { 'if-none-match': '"v0", W/"v1"' } });
    expect([again.statusCode, again.headers.etag, again.body, made]).toEqual([304, '"v1"', '', 1]);
    expect((await ask('/', { headers: { 'if-none-match': '"v0"' } })).statusCode).toBe(200);
  });

  test('is false without a tag, and for another status', async () => {
    const headers = { 'if-none-match': '*' };
    const none = await answer((_req, res) => ({ fresh: res.fresh }), headers);
    expect(none.response.json()).toEqual({ fresh: false });
    const created = await answer((_req, res) => ({ fresh: res.status(201).etag('v1').fresh }), headers);
    expect([created.response.statusCode, created.response.json()]).toEqual([201, { fresh: false }]);
  });
});

describe('destroy', () => {
  let running: TestServer;

  test.each([
    '/destroy/before',
    '/destroy/twice',
    '/destroy/value',
    '/destroy/later',
    '/destroy/throws',
    '/destroy/stream',
  ])('by %s closes the connection without a response', async (path) => {
    running = await startServer({ shards: 1 }, 'responses.js');
    const client = await RawClient.open(running.port);
    client.write(get(path));
    await client.closed();
    expect(client.pending.toString()).toBe('');
    expect((await exchange(running.port, get('/fine'))).status).toBe(200);
    expect(running.logged.filter(({ level }) => level === 'error')).toEqual([]);
    await expectConserved(running);
    await running.server.close();
  });

  test('in the middle of a stream breaks it off and ends its source', async () => {
    running = await startServer({ shards: 1 }, 'responses.js');
    for (const path of ['/destroy/middle', '/destroy/middle-twice']) {
      const client = await RawClient.open(running.port);
      client.write(get(path));
      await client.closed();
      const received = client.pending.toString();
      expect(received).toContain('\r\n\r\n5\r\nfirst');
      expect(received).not.toContain('second');
      expect(received).not.toMatch(/0\r\n\r\n$/);
    }
    await until(async () => (await exchange(running.port, get('/released'))).body.toString() === '2', 'the releases');
    await expectConserved(running);
    await running.server.close();
  });

  test('after the end has no effect', async () => {
    running = await startServer({ shards: 1 }, 'responses.js');
    const client = await RawClient.open(running.port);
    client.write(get('/destroy/after') + get('/fine'));
    expect((await client.response()).body.toString()).toBe('x');
    expect((await client.response()).body.toString()).toBe('fine');
    client.write(get('/fine'));
    expect((await client.response()).body.toString()).toBe('fine');
    client.destroy();
    await running.server.close();
  });
});
