import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createApp, eventStream, HttpError, type Server, serve } from 'loopshard';
import { fromNode } from 'loopshard/adapters';
import { close, createTestServer, inject } from 'loopshard/testing';
import { root } from './support/process.js';

const find = jest.fn((id: string) => ({ id, name: 'from the database' }));
const events: string[] = [];

const app = createApp()
  .onStart(({ shard, group }) => void events.push(`start ${shard} ${group}`))
  .onClose(() => void events.push('close'))
  .use(async (_req, res, next) => {
    res.header('x-outer', 'yes');
    const value = await next();
    return typeof value === 'object' && value !== null && 'name' in value ? { ...value, wrapped: true } : undefined;
  })
  .get('/users/:id', (req) => find(req.params.id))
  .get('/seen', (req) => ({
    query: req.query,
    cookies: req.cookies,
    ip: req.ip,
    host: req.host,
    agent: req.header('a'),
  }))
  .post('/json', { body: { type: 'object', required: ['a'] } }, (req) => req.body)
  .post('/text', { group: 'cpu' }, (req) => `${req.header('content-type')} ${req.text()}`)
  .post('/stream', { body: 'stream' }, async (req) => {
    let bytes = 0;
    for await (const chunk of req.stream()) bytes += chunk.length;
    return { bytes };
  })
  .get('/cookies', (_req, res) => void res.cookie('one', '1', { httpOnly: true }).cookie('two', 'zwei ü'))
  .get('/bytes', () => new Uint8Array([0, 255, 7]))
  .get('/events', (req, res) => eventStream(req, res, twoEvents()))
  .get('/teapot', () => {
    throw new HttpError(418, 'I am a teapot.');
  })
  .get('/boom', () => {
    throw new Error('on purpose');
  })
  .get('/destroy', (_req, res) => res.destroy())
  .get('/never', (req) => new Promise((resolve) => req.onAbort(() => resolve(events.push('left')))));

async function* twoEvents() {
  yield { data: 1 };
  yield { data: 2 };
}

const silent = { error: () => {}, warn: () => {}, info: () => {} };

afterAll(() => close(app));

describe('inject', () => {
  test('calls the handler in the thread of the test, with its mocks', async () => {
    find.mockReturnValueOnce({ id: '7', name: 'mocked' });
    const response = await inject(app, '/users/7');
    expect(response).toMatchObject({ statusCode: 200, statusMessage: 'OK' });
    expect(response.json()).toEqual({ id: '7', name: 'mocked', wrapped: true });
    expect(response.headers).toMatchObject({ 'content-type': 'application/json', 'x-outer': 'yes' });
    expect(find).toHaveBeenLastCalledWith('7');
    expect(response.body).toBe(response.payload);
    expect(response.rawPayload.toString()).toBe(response.payload);
  });

  test('starts the app once', () => {
    expect(events).toEqual(['start 0 default']);
  });

  test('sends query, cookies, headers and address', async () => {
    const response = await inject(app, {
      url: '/seen?a=1',
      query: { b: ['x', 'y'], c: 2 },
      cookies: { session: 'a b' },
      headers: { A: 'agent', host: 'shop.test' },
      remoteAddress: '192.0.2.7',
    });
    expect(response.json()).toEqual({
      query: { a: '1', b: ['x', 'y'], c: '2' },
      cookies: { session: 'a b' },
      ip: '192.0.2.7',
      host: 'shop.test',
      agent: 'agent',
    });
  });

  test('cuts an address that no slot has room for', async () => {
    const headers = { A: 'agent', host: 'shop.test' };
    const response = await inject(app, { url: '/seen', headers, remoteAddress: 'a'.repeat(300) });
    expect(response.json()).toMatchObject({ ip: 'a'.repeat(48), host: 'shop.test', agent: 'agent' });
  });

  test('accepts a complete URL', async () => {
    const response = await inject(app, 'https://shop.test:8443/seen?x=%20');
    expect(response.json()).toMatchObject({ host: 'shop.test:8443', query: { x: ' ' } });
  });

  test('sends values as JSON, and text, bytes and streams unchanged', async () => {
    const post = (url: string, payload: unknown, headers = {}) =>
      inject(app, { method: 'POST', url, payload, headers });
    expect((await post('/json', { a: 'grüße' })).json()).toEqual({ a: 'grüße' });
    expect((await post('/json', { a: 'x'.repeat(300_000) })).json<{ a: string }>().a.length).toBe(300_000);
    expect((await post('/text', 'grüße')).body).toBe('undefined grüße');
    expect((await post('/text', Buffer.from('b'), { 'Content-Type': 'text/x' })).body).toBe('text/x b');
    const chunks = Readable.from(['a'.repeat(70_000), 'b'.repeat(70_000)]);
    expect((await post('/stream', chunks)).json()).toEqual({ bytes: 140_000 });
    expect((await inject(app, { method: 'post', url: '/json', body: { a: 1 } })).json()).toEqual({ a: 1 });
  });

  test('validates requests and responds to errors like the server', async () => {
    const invalid = await inject(app, { method: 'POST', url: '/json', payload: { b: 1 } });
    expect([invalid.statusCode, invalid.json<{ code: string }>().code]).toEqual([400, 'REQUEST_INVALID']);
    const untyped = await inject(app, { method: 'POST', url: '/json', payload: '{"a":1}' });
    expect(untyped.statusCode).toBe(415);
    expect((await inject(app, '/teapot')).json()).toMatchObject({ statusCode: 418, message: 'I am a teapot.' });
    expect((await inject(app, '/nowhere')).statusCode).toBe(404);
    expect((await inject(app, { method: 'PUT', url: '/json' })).statusCode).toBe(405);
  });

  test('reads cookies, bytes and streams', async () => {
    expect((await inject(app, '/cookies')).cookies).toEqual([
      { name: 'one', value: '1', httpOnly: true },
      { name: 'two', value: 'zwei ü' },
    ]);
    expect([...(await inject(app, '/bytes')).rawPayload]).toEqual([0, 255, 7]);
    expect((await inject(app, '/events')).body).toBe('data: 1\n\ndata: 2\n\n');
    const head = await inject(app, { method: 'HEAD', url: '/bytes' });
    expect([head.headers['content-length'], head.body]).toEqual(['3', '']);
  });

  test('reads a response that ends with the connection', async () => {
    const handler = fromNode(async (_req: http.IncomingMessage, res: http.ServerResponse) => {
      res.useChunkedEncodingByDefault = false;
      res.write('begun, ');
      await sleep(5);
      res.write('and ended');
      await sleep(5);
      res.end();
    });
    await using server = await createTestServer(createApp().mount('/', handler));
    const response = await server.inject({ url: '/', headers: { connection: 'close' } });
    expect([response.headers['content-length'], response.body]).toEqual([undefined, 'begun, and ended']);
  });

  test('fails if the app closes the connection, and when its signal aborts', async () => {
    await expect(inject(app, '/destroy')).rejects.toMatchObject({ code: 'ECONNRESET' });
    const controller = new AbortController();
    const response = inject(app, { url: '/never', signal: controller.signal });
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error('enough'));
    await expect(response).rejects.toMatchObject({ name: 'AbortError' });
    await inject(app, '/bytes');
    expect(events.at(-1)).toBe('left');
  });

  test('returns the right response for each of many concurrent requests', async () => {
    const ids = Array.from({ length: 300 }, (_, i) => String(i));
    const answers = await Promise.all(ids.map((id) => inject(app, `/users/${id}`)));
    expect(answers.map((answer) => answer.json<{ id: string }>().id)).toEqual(ids);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['no app', () => inject({} as never, '/'), '`inject()` expects an app that `createApp()` returned, got {}.'],
    [
      'no URL',
      () => inject(app, {} as never),
      '`inject()` expects `url` to be a path that begins with `/`, or a URL, got undefined.',
    ],
    ['a relative URL', () => inject(app, 'users'), "got 'users'."],
    [
      'another method',
      () => inject(app, { url: '/', method: 'BREW' }),
      "`inject()` expects `method` to be an HTTP method, got 'BREW'.",
    ],
    ['an unknown option', () => inject(app, { url: '/', path: '/' } as never), 'Unknown option `path` of `inject()`.'],
    [
      'an option that tests do not have',
      () => createTestServer(app, { port: 1 } as never),
      'Option `port` is not available for a test server',
    ],
  ])('rejects %s', async (_, act, message) => {
    await expect(act()).rejects.toThrow(message);
  });
});

describe('createTestServer', () => {
  test('accepts options of serve(), and closes the app', async () => {
    const logged: string[] = [];
    const logger = {
      ...silent,
      error: (details: object, message: string) =>
        void logged.push(`${message}: ${(details as { err: Error }).err.message}`),
    };
    const server = await createTestServer(app, { logger, trustProxy: true, limits: { maxBodyBytes: 10 } });
    const headers = { 'x-forwarded-for': '198.51.100.1' };
    expect((await server.inject({ url: '/seen', headers })).json()).toMatchObject({ ip: '198.51.100.1' });
    expect((await server.inject({ method: 'POST', url: '/text', payload: 'x'.repeat(11) })).statusCode).toBe(413);
    expect((await server.inject('/boom')).statusCode).toBe(500);
    expect(logged).toEqual(['GET /boom failed: on purpose']);
    const before = events.length;
    await server.close();
    expect(events.slice(before)).toEqual(['close']);
    await expect(server.inject('/seen')).rejects.toThrow();
  });

  test('fails if a listener of onStart fails', async () => {
    const broken = createApp().onStart(() => Promise.reject(new Error('no database')));
    await expect(createTestServer(broken, { logger: silent })).rejects.toMatchObject({
      code: 'MODULE_FAILED',
      message: expect.stringContaining('no database'),
    });
  });

  test('can start a closed app again', async () => {
    const other = createApp().get('/', () => 'up');
    expect((await inject(other, '/')).body).toBe('up');
    await close(other);
    await close(other);
    expect((await inject(other, '/')).body).toBe('up');
    await close(other);
  });
});

test('a program that injects without closing the app exits', () => {
  const program = `
    import { createApp } from 'loopshard';
    import { inject } from 'loopshard/testing';
    const app = createApp().get('/', () => new Promise((resolve) => setImmediate(resolve, 'late').unref()));
    console.log((await inject(app, '/')).body);`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect([stdout, status]).toEqual(['late\n', 0]);
});

describe('serve() with shards: 0', () => {
  let server: Server;

  beforeAll(async () => {
    server = await serve(new URL('./fixtures/app.js', import.meta.url), {
      port: 0,
      shards: 0,
      groups: { default: 1, cpu: 1 },
      logger: silent,
    });
  });

  test('runs the handlers in the calling thread', async () => {
    const [response] = await once(http.get({ port: server.address().port, path: '/thread' }), 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    expect(JSON.parse(text)).toEqual({ threadId });
    expect(server.stats().shards.map(({ state }) => state)).toEqual(['ready']);
  });

  test('closes in order', async () => {
    await server.close();
    expect(server.state).toBe('closed');
  });

  test('has one HTTP thread', async () => {
    await expect(serve(new URL('./fixtures/app.js', import.meta.url), { shards: 0, httpThreads: 2 })).rejects.toThrow(
      'Cannot use `httpThreads` with `shards: 0`, where everything runs in the calling thread. Leave `httpThreads` out.',
    );
  });
});
