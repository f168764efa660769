import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp, type Handler, type RouteOptions } from 'loopshard';
import { Apps } from './support/apps.js';
import { exchange, field, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

const BYTES = new Uint8Array([0, 104, 105, 255, 0]);
const apps = new Apps();
let running: TestServer;
let port: number;

beforeAll(async () => {
  running = await startServer({ shards: 1 }, 'returns.js');
  port = running.port;
});

afterAll(async () => {
  await apps.close();
  await expectConserved(running);
  await running.server.close();
});

/** Returns the responses of a handler to GET and HEAD. */
async function answers(handler: Handler) {
  const { ask, logged } = await apps.run(createApp().get('/', handler));
  return { got: await ask('/'), head: await ask('/', { method: 'HEAD' }), logged };
}

async function* chunks() {
  yield 'one ';
  await null;
  yield Buffer.from('two');
}
function* lines() {
  yield 'one ';
  yield Buffer.from('two');
}
const form = () => new URLSearchParams({ a: 'b c', ü: '&' });

describe('a handler may return', () => {
  test.each<[string, () => unknown, string | undefined, string, string | undefined]>([
    ['a string', () => 'grüße', 'text/plain; charset=utf-8', 'grüße', '7'],
    ['a Uint8Array', () => new TextEncoder().encode('hi'), 'application/octet-stream', 'hi', '2'],
    ['an ArrayBuffer', () => BYTES.buffer.slice(1, 3), 'application/octet-stream', 'hi', '2'],
    ['a SharedArrayBuffer', () => new SharedArrayBuffer(2), 'application/octet-stream', '\0\0', '2'],
    ['a DataView', () => new DataView(BYTES.buffer, 1, 2), 'application/octet-stream', 'hi', '2'],
    ['a view of words', () => new Uint16Array(BYTES.slice(1, 3).buffer), 'application/octet-stream', 'hi', '2'],
    ['an empty view', () => new DataView(new ArrayBuffer(0)), 'application/octet-stream', '', '0'],
    ['a Blob', () => new Blob(['one', ' two'], { type: 'text/x' }), 'text/x', 'one two', '7'],
    ['a Blob without a type', () => new Blob(['x']), 'application/octet-stream', 'x', '1'],
    ['an empty Blob', () => new Blob([]), 'application/octet-stream', '', '0'],
    ['a File', () => new File(['x'], 'x.txt', { type: 'a/b' }), 'a/b', 'x', '1'],
    ['URLSearchParams', form, 'application/x-www-form-urlencoded;charset=UTF-8', 'a=b+c&%C3%BC=%26', '16'],
    ['a Response', () => new Response('text'), 'text/plain;charset=UTF-8', 'text', undefined],
    ['an object', () => ({ a: 1 }), 'application/json', '{"a":1}', '7'],
    [
      'an object without a prototype',
      () => Object.assign(Object.create(null), { a: 1 }),
      'application/json',
      '{"a":1}',
      '7',
    ],
    [
      'an instance',
      () =>
        new (class Point {
          x = 1;
        })(),
      'application/json',
      '{"x":1}',
      '7',
    ],
    ['an empty object', () => ({ a: {}, b: [] }), 'application/json', '{"a":{},"b":[]}', '15'],
    ['a Date', () => new Date(0), 'application/json', '"1970-01-01T00:00:00.000Z"', '26'],
    ['a URL', () => new URL('http://a.test/b'), 'application/json', '"http://a.test/b"', '17'],
    ['a promise', async () => 'x', 'text/plain; charset=utf-8', 'x', '1'],
    [
      'a thenable',
      // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable
      () => ({ then: (resolve: (value: string) => void) => resolve('x') }),
      'text/plain; charset=utf-8',
      'x',
      '1',
    ],
    ['an async generator', chunks, 'text/plain; charset=utf-8', 'one two', undefined],
    ['a generator', lines, 'text/plain; charset=utf-8', 'one two', undefined],
    ['the iterator of an array', () => ['one ', 'two'].values(), 'text/plain; charset=utf-8', 'one two', undefined],
    [
      'a generator of promises',
      () => [Promise.resolve('one '), 'two'].values(),
      'text/plain; charset=utf-8',
      'one two',
      undefined,
    ],
    [
      'a Node.js stream',
      () => Readable.from(['one ', 'two'], { objectMode: false }),
      'application/octet-stream',
      'one two',
      undefined,
    ],
    ['a ReadableStream', () => new Response('one two').body, 'application/octet-stream', 'one two', undefined],
  ])('%s', async (_name, make, type, body, length) => {
    const { got, head, logged } = await answers(make as Handler);
    expect([got.statusCode, got.headers['content-type'], got.body]).toEqual([200, type, body]);
    expect(got.headers['content-length']).toBe(length);
    expect([head.statusCode, head.body, head.headers['content-length']]).toEqual([200, '', length]);
    // The first chunk of a stream determines the type, but HEAD does not start the stream.
    if (length !== undefined) expect(head.headers['content-type']).toBe(type);
    expect(logged).toEqual([]);
  });

  test('a Response with status, headers and cookies, in addition to those of res', async () => {
    const { got, head } = await answers((_req, res) => {
      res.header('x-res', '1').header('x-both', 'res').header('set-cookie', 'r=1').status(418);
      const headers = new Headers({ 'x-both': 'response', 'content-type': 'text/x', connection: 'x', date: 'x' });
      headers.append('set-cookie', 'a=1');
      headers.append('set-cookie', 'b=2');
      return new Response('body', { status: 201, headers });
    });
    for (const { statusCode, headers } of [got, head]) {
      expect(statusCode).toBe(201);
      expect(headers).toMatchObject({
        'x-res': '1',
        'x-both': 'response',
        'set-cookie': ['r=1', 'a=1', 'b=2'],
        'content-type': 'text/x',
      });
      expect(headers.date).not.toBe('x');
    }
    expect([got.body, head.body]).toEqual(['body', '']);
  });

  test('a Response without a body', async () => {
    for (const status of [200, 204, 205, 304, 404]) {
      const { got } = await answers(() => new Response(null, { status }));
      expect([got.statusCode, got.body]).toEqual([status, '']);
      await apps.close();
    }
    const { got } = await answers(() => Response.redirect('http://a.test/b', 307));
    expect([got.statusCode, got.headers.location]).toEqual([307, 'http://a.test/b']);
  });

  test('no Response whose body was read or that is an error', async () => {
    const read = await answers(async () => {
      const response = new Response('x');
      await response.text();
      return response;
    });
    expect([read.got.statusCode, read.logged[0].details.err!.message]).toEqual([
      500,
      'The handler returned a `Response` whose body was already read. Return a new one, or its `clone()`.',
    ]);
    const failed = await answers(() => Response.error());
    expect(failed.logged[0].details.err!.message).toBe('The handler returned `Response.error()`, which has no status.');
  });

  test('a response of fetch(), which is decoded and keeps the headers that still apply', async () => {
    const upstream = http.createServer((_req, res) => {
      const body = gzipSync('upstream '.repeat(100));
      res.writeHead(203, { 'content-encoding': 'gzip', 'content-length': body.length, 'x-upstream': 'yes' }).end(body);
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const { got, logged } = await answers(() => fetch(url));
    expect([got.statusCode, got.body, got.headers['x-upstream']]).toEqual([203, 'upstream '.repeat(100), 'yes']);
    expect(got.headers).not.toHaveProperty('content-encoding');
    expect(logged).toEqual([]);
    upstream.closeAllConnections();
    upstream.close();
  });

  test('blobs, responses, forms, streams and buffers on a real shard', async () => {
    for (const [path, body] of [
      ['/blob', 'blob'],
      ['/response', 'response'],
      ['/form', 'a=1'],
      ['/node', 'node'],
      ['/generator', 'generator'],
      ['/arraybuffer', 'buffer'],
    ]) {
      const client = await RawClient.open(port);
      client.write(get(path, 'Connection: close'));
      await client.closed();
      expect(client.pending.toString()).toContain(body);
      client.destroy();
    }
  });
});

describe('what JSON cannot represent', () => {
  const error = Object.assign(new Error('secret'));
  test.each<[string, unknown, string]>([
    ['a Map', new Map([[1, 2]]), 'a `Map`'],
    ['a Set', new Set([1]), 'a `Set`'],
    ['a WeakMap', new WeakMap(), 'an instance of `WeakMap`'],
    ['an Error', error, 'an `Error`'],
    ['an error of a subclass', new TypeError('secret'), 'an `Error`'],
    ['a RegExp', /x/, 'an instance of `RegExp`'],
    ['Headers', new Headers(), 'an instance of `Headers`'],
    ['FormData', new FormData(), 'an instance of `FormData`'],
  ])('is an error if the handler returns %s, or a value that contains it', async (_name, value, name) => {
    const { ask, logged } = await apps.run(
      createApp()
        .get('/', () => value)
        .get('/inside', () => ({ a: { b: [{}, value] } }))
        .get('/in-array', () => [value]),
    );
    for (const [path, place] of [
      ['/', ''],
      ['/inside', ' at /a/b/1'],
      ['/in-array', ' at /0'],
    ]) {
      const response = await ask(path);
      expect([path, response.statusCode]).toEqual([path, 500]);
      expect(response.body).not.toContain('secret');
      const { err } = logged.at(-1)!.details;
      expect(err).toMatchObject({ code: 'RESPONSE_INVALID' });
      expect(err!.message).toContain(`The handler returned ${name}${place}, which JSON cannot represent. `);
    }
  });

  const placed = {
    response: { type: 'object', properties: { a: { type: 'object', properties: { b: {} } } } },
  } as const;
  test.each<[string, RouteOptions, (value: unknown) => Handler]>([
    ['where the response schema describes an object', placed, (value) => () => ({ a: value })],
    ['where the response schema allows anything', placed, (value) => () => ({ a: { b: { c: value } } })],
    ['with a response schema that allows anything', { response: {} }, (value) => () => ({ a: value })],
    [
      'passed to `res.writer().value()`',
      {},
      (value) => (_req, res) => void res.writer().beginArray().value({ a: value }).endArray(),
    ],
  ])('is an error %s', async (_place, options, handler) => {
    for (const [value, name] of [
      [new Map([[1, 2]]), 'a `Map`'],
      [Promise.resolve(1), 'a promise'],
      [error, 'an `Error`'],
    ]) {
      const { ask, logged } = await apps.run(createApp().get('/', options, handler(value)));
      const response = await ask('/');
      expect(response.statusCode).toBe(500);
      const { err } = logged.at(-1)!.details;
      expect(err).toMatchObject({ code: 'VALUE_MISMATCH' });
      expect(err!.message).toMatch(new RegExp(`^Invalid value at /a.*: JSON cannot represent ${name}\\. `));
    }
  });

  test.each<[string, RouteOptions]>([
    ['without a response schema', {}],
    ['with a response schema', { response: { properties: { a: { type: 'object', properties: { method: {} } } } } }],
  ])('includes `req` and `res`, %s', async (_name, options) => {
    const { ask, logged } = await apps.run(
      createApp()
        .get('/req', options, (req) => ({ a: req }))
        .get('/res', options, (_req, res) => ({ a: res })),
    );
    for (const path of ['/req', '/res']) {
      expect((await ask(path)).statusCode).toBe(500);
      expect(logged.at(-1)!.details.err!.message).toMatch(/(`req`|`res`|`ShardRequest`|`ShardResponse`)/);
    }
  });

  test.each<[string, unknown, string]>([
    ['a promise', Promise.resolve(1), 'a promise at /a'],
    ['an ArrayBuffer', new ArrayBuffer(1), 'an instance of `ArrayBuffer` at /a'],
    ['a Blob', new Blob([]), 'an instance of `Blob` at /a'],
    ['a Response', new Response(), 'an instance of `Response` at /a'],
    ['a generator', lines(), 'an instance of `Generator` at /a'],
    ['URLSearchParams', form(), 'an instance of `URLSearchParams` at /a'],
  ])('is an error with %s inside', async (_name, value, name) => {
    const { got, logged } = await answers(() => ({ a: value }));
    expect(got.statusCode).toBe(500);
    expect(logged[0].details.err!.message).toContain(`The handler returned ${name}, which JSON cannot represent. `);
  });

  test.each<[string, () => unknown, string]>([
    ['a function', () => () => 'x', 'The handler returned a function'],
    ['a symbol', () => Symbol('x'), 'The handler returned a symbol'],
    ['a BigInt', () => 1n, 'BigInt'],
  ])('is an error as %s', async (_name, make, message) => {
    const { got, logged } = await answers(make as Handler);
    expect(got.statusCode).toBe(500);
    expect(logged[0].details.err!.message).toContain(message);
  });

  test('does not include plain empty objects', async () => {
    class Empty {}
    const value = { a: {}, b: new Empty(), c: [{}, Object.create(null)], d: { toJSON: () => ({}) }, e: new Date(0) };
    const { got } = await answers(() => value);
    expect(got.json()).toEqual({ a: {}, b: {}, c: [{}, {}], d: {}, e: '1970-01-01T00:00:00.000Z' });
  });
});

describe('content-length', () => {
  test('of a stream is sent, including for HEAD, and the body is not chunked', async () => {
    const got = await exchange(port, get('/sized/7'));
    expect([got.body.toString(), field(got, 'content-length'), field(got, 'transfer-encoding')]).toEqual([
      'one two',
      '7',
      undefined,
    ]);
    const head = await exchange(port, get('/sized/7').replace('GET', 'HEAD'), false);
    expect([head.status, field(head, 'content-length'), field(head, 'transfer-encoding')]).toEqual([
      200,
      '7',
      undefined,
    ]);
  });

  test.each([
    ['fewer', 8],
    ['more', 6],
  ])('of a stream that yields %s bytes breaks the connection', async (which, length) => {
    const client = await RawClient.open(port);
    client.write(get(`/sized/${length}`));
    await client.closed();
    const body = client.pending.subarray(client.pending.indexOf('\r\n\r\n') + 4);
    expect(body.length).toBeLessThan(length);
    await until(() => running.logged.length > 0, 'the log line');
    const message = `A stream yielded ${which} bytes than its \`content-length\` of ${length}.`;
    expect(running.logged.splice(0).at(-1)!.details.err!.message).toContain(message);
  });

  test.each<[string, number, () => unknown]>([
    ['text', 5, () => 'four'],
    ['bytes', 2, () => new Uint8Array(3)],
    ['JSON', 1, () => ({})],
    ['nothing', 5, () => undefined],
  ])('of %s is compared with the body', async (_name, length, make) => {
    const { ask, logged } = await apps.run(
      createApp().get('/', (_req, res) => {
        res.header('content-length', length);
        return make();
      }),
    );
    expect((await ask('/')).statusCode).toBe(500);
    expect(logged[0].details.err!.message).toMatch(`but its \`content-length\` is ${length}.`);
  });

  test('of a compressed body is compared with the uncompressed body', async () => {
    const app = createApp();
    const options = { compress: { thresholdBytes: 0 } };
    app.get('/said/:bytes', options, (req, res) => {
      res.header('content-length', req.params.bytes);
      return 'a'.repeat(5_000);
    });
    const { ask } = await apps.run(app);
    const right = await ask('/said/5000', { headers: { 'accept-encoding': 'gzip' } });
    expect([right.statusCode, right.headers['content-encoding']]).toEqual([200, 'gzip']);
    expect(right.headers['content-length']).toBe(String(right.rawPayload.length));
    expect((await ask('/said/41', { headers: { 'accept-encoding': 'gzip' } })).statusCode).toBe(500);
  });

  test('without a body tells HEAD the length', async () => {
    const { ask } = await apps.run(
      createApp().get('/', (req, res) => {
        res.header('content-length', 3);
        return req.method === 'HEAD' ? undefined : 'abc';
      }),
    );
    const head = await ask('/', { method: 'HEAD' });
    expect([head.statusCode, head.headers['content-length']]).toEqual([200, '3']);
    expect((await ask('/')).body).toBe('abc');
  });

  test('for HEAD of a stream ends the source without starting it', async () => {
    const before = (await exchange(port, get('/held'))).body.toString();
    await exchange(port, get('/holds').replace('GET', 'HEAD'), false);
    await until(
      async () => (await exchange(port, get('/held'))).body.toString() === String(Number(before) + 1),
      'the end of the stream',
    );
  });
});
