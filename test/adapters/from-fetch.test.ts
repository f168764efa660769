import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp, serve } from 'loopshard';
import { fromFetch } from 'loopshard/adapters';
import { Apps } from '../support/apps.js';
import { RawClient } from '../support/client.js';
import { root } from '../support/process.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';

const read = (name: string) => readFileSync(new URL(`../fixtures/tls/first-${name}.pem`, import.meta.url));
const KEY = read('key');
const CERTIFICATE = read('cert');
let running: TestServer;
let url: string;
const apps = new Apps();

beforeAll(async () => {
  running = await startServer({ shards: 1, httpThreads: 1 }, 'fetch/from-fetch.js');
  url = `http://127.0.0.1:${running.port}`;
});

afterAll(async () => {
  await apps.close();
  await expectConserved(running);
  await running.server.close();
});

async function get(path: string, init?: RequestInit) {
  const response = await fetch(url + path, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('a mounted fetch app', () => {
  test.each([
    ['/api', 'root /'],
    ['/api/', 'root /'],
    ['/api?x', 'root /'],
    ['/api/path/x/y?a=b', '["/path/x/y","?a=b"]'],
    ['/tenants/one', 'plain /'],
    ['/tenants/one/two', 'plain /two'],
    ['/tenants/%2F/two', 'plain /two'],
  ])('sees %s without its prefix', async (path, expected) => {
    expect(await get(path)).toMatchObject({ status: 200, text: expected });
  });

  test('leaves routes of the app beside it alone', async () => {
    expect((await get('/api/hot')).text).toBe('{"hot":true}');
    expect((await get('/elsewhere')).status).toBe(404);
  });

  test('gets every method and targets that are not valid URLs, below its prefix only', async () => {
    const client = await RawClient.open(running.port);
    const statuses: unknown[] = [];
    for (const line of ['GET /tenants/x/%zz?<"', 'PROPFIND /tenants/x/y', 'PROPFIND /elsewhere', 'GET /elsewhere?<"']) {
      client.write(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const { status, body } = await client.response();
      statuses.push(status === 200 ? String(body) : status);
    }
    client.destroy();
    expect(statuses).toEqual(['plain /%zz', 'plain /y', 404, 400]);
  });

  test('gets the request of LoopShard, the environment of `env`, or what its function returns', async () => {
    expect(JSON.parse((await get('/api/shard?q')).text)).toEqual(['/api/shard?q', '127.0.0.1']);
    expect((await get('/env/x/y')).text).toBe('{"id":"x/y"}');
  });
});

test('HEAD of a Response without a body tells nothing about the length', async () => {
  const { status, headers } = await get('/api/', { method: 'HEAD' });
  expect([status, headers.get('content-type')?.toLowerCase(), headers.get('content-length')]).toEqual([
    200,
    'text/plain;charset=utf-8',
    null,
  ]);
});

describe('the URL of a request', () => {
  // The globals of this thread are ours while a test server runs.
  afterAll(apps.close);

  const app = fromFetch((request: Request) => new Response(`${request.url} ${(request as { ip?: string }).ip}`));

  test('has protocol and host of the client, if a trusted proxy forwards them', async () => {
    const headers = {
      host: 'inner',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'a.test',
      'x-forwarded-for': '192.0.2.1',
    };
    const trusting = await apps.run(app, { trustProxy: true });
    expect((await trusting.ask('/x', { headers })).payload).toBe('https://a.test/x 192.0.2.1');
    const { ask } = await apps.run(fromFetch((request: Request) => new Response(request.url)));
    expect((await ask('/x', { headers })).payload).toBe('http://inner/x');
  });

  test('is https over TLS', async () => {
    const secure = await startServer({ shards: 1, tls: { key: KEY, cert: CERTIFICATE } }, 'fetch/from-fetch.js');
    const sent = https.get({
      port: secure.port,
      host: '127.0.0.1',
      path: '/protocol',
      ca: CERTIFICATE,
      agent: false,
      checkServerIdentity: () => undefined,
    });
    const [response] = await once(sent, 'response');
    expect(await text(response)).toBe('https:');
    await secure.server.close();
  });
});

describe('the globals', () => {
  test('are ours on a shard', async () => {
    expect((await get('/api/globals')).text).toBe('[true,"Response","Headers"]');
  });

  test('are left alone with `globals: false`, and the app gets a native request', async () => {
    const { Request, Response, Headers } = globalThis;
    const seen: unknown[] = [];
    const app = fromFetch(
      (request: Request) => {
        seen.push(globalThis.Request === Request, request.constructor === Request, request.headers.get('x-own'));
        return new Response('native');
      },
      { globals: false },
    );
    const { ask } = await apps.run(app);
    expect((await ask('/', { headers: { 'x-own': '1' } })).payload).toBe('native');
    expect(seen).toEqual([true, true, '1']);
    expect([globalThis.Response, globalThis.Headers]).toEqual([Response, Headers]);
  });

  test('of the test return when the server is closed', async () => {
    const before = [globalThis.Request, globalThis.Response, globalThis.Headers, globalThis.fetch];
    const { createTestServer } = await import('loopshard/testing');
    const server = await createTestServer(fromFetch(() => Response.json(globalThis.Response !== before[1])));
    expect((await server.inject('/')).payload).toBe('true');
    await server.close();
    expect([globalThis.Request, globalThis.Response, globalThis.Headers, globalThis.fetch]).toEqual(before);
  });
});

describe('after the response', () => {
  test('the head of a request can still be read', async () => {
    expect((await get('/api/later', { headers: { 'x-own': 'v' } })).text).toBe('now');
    await until(async () => (await get('/api/seen')).text === '[["/later","v",true,false]]', 'the work');
  });

  test('work that fails does not end the shard', async () => {
    const [{ restarts }] = running.server.stats().shards;
    expect((await get('/api/fails-later')).text).toBe('now');
    expect((await get('/api/fails-later')).text).toBe('now');
    expect(running.server.stats().shards[0].restarts).toBe(restarts);
  });

  test('the server waits for work passed to `waitUntil` when it is closed, and the globals remain until then', async () => {
    const { Response: Native } = globalThis;
    let finish = () => {};
    let seen: boolean | undefined;
    const begun = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const work = begun.then(() => {
      seen = globalThis.Response !== Native;
    });
    const fetchApp = fromFetch((_: Request, __: unknown, context: { waitUntil(promise: Promise<unknown>): void }) => {
      context.waitUntil(work);
      return new Response('now');
    });
    // Listeners are called in reverse order: this one before those of the fetch app.
    const app = createApp()
      .mount('/', fetchApp)
      .onClose(() => void setImmediate(finish));
    const { createTestServer } = await import('loopshard/testing');
    const server = await createTestServer(app);
    await server.inject('/');
    await server.close();
    expect([seen, globalThis.Response === Native]).toEqual([true, true]);
  });
});

describe('request bodies', () => {
  test('of any size reach an app with `body: stream` as they arrive', async () => {
    const { maxBodyBytes } = { maxBodyBytes: 2 * 2 ** 20 };
    const body = new Uint8Array(maxBodyBytes);
    expect(await get('/stream/size', { method: 'POST', body })).toMatchObject({
      status: 200,
      text: String(body.length),
    });
    expect((await get('/api/size', { method: 'POST', body })).status).toBe(413);
  });

  test('that break off reject, and the signal is aborted', async () => {
    const client = await RawClient.open(running.port);
    client.write('POST /stream/breaks HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc');
    await until(async () => (await get('/api/broken')).text === '["started"]', 'the request');
    client.socket.resetAndDestroy();
    await until(async () => (await get('/api/broken')).text !== '["started"]', 'the end of the body');
    expect((await get('/api/broken')).text).toBe('["started","BODY_INCOMPLETE",true]');
  });

  test('that are not read do no harm', async () => {
    expect((await get('/stream/started', { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(200);
    expect((await get('/api/started', { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(200);
  });
});

describe('what a fetch app returns', () => {
  test.each([
    ['undefined', 'The fetch app returned undefined, expected a `Response`.'],
    ['object', 'The fetch app returned { a: 1 }, expected a `Response`.'],
    ['error', 'The handler returned `Response.error()`, which has no status.'],
    ['used', 'The handler returned a `Response` whose body was already read.'],
    ['wrong-length', 'The response has 1 bytes, but its `content-length` is 7.'],
  ])('%s is an error with a sentence', async (kind, message) => {
    expect((await get(`/returns/${kind}`)).status).toBe(500);
    const isLogged = ({ details }: { details: { err?: Error } }) => details.err?.message.startsWith(message) === true;
    await until(() => running.logged.some(isLogged), `the message ${message}`);
  });

  test('may be the same Response again, if it has text', async () => {
    const first = await get('/returns/same');
    expect(await get('/returns/same')).toMatchObject({ status: 200, text: first.text });
  });

  test('cannot set headers of the connection', async () => {
    const { headers, text } = await get('/returns/server-headers');
    expect([headers.get('transfer-encoding'), headers.get('content-length'), text]).toEqual([null, '1', 'x']);
  });

  test('may be a response of srvx', async () => {
    const { status, headers, text } = await get('/returns/node-response');
    expect([status, headers.get('x-a'), headers.getSetCookie(), text]).toEqual([201, '1', ['a', 'b'], 'plain']);
  });

  test('may be a Response of ours in a handler of LoopShard too, with its type as it is', async () => {
    const { status, headers, text } = await get('/own');
    expect([status, headers.get('content-type'), text]).toEqual([203, 'text/html', 'text of ours']);
  });
});

describe('fromFetch() rejects', () => {
  const app = () => new Response();
  test.each<[string, () => unknown, string, string]>([
    [
      'a number',
      () => fromFetch(7 as never),
      'OPTION_INVALID',
      '`fromFetch()` expects an app with a method `fetch`, or a function from `Request` to `Response`, got 7.',
    ],
    [
      'an object without fetch',
      () => fromFetch({ fetch: 1 } as never),
      'OPTION_INVALID',
      '`fromFetch()` expects an app with a method `fetch`',
    ],
    [
      'options that are no object',
      () => fromFetch(app, 7 as never),
      'OPTION_INVALID',
      '`fromFetch()` expects options as an object, got 7.',
    ],
    [
      'an unknown option',
      () => fromFetch(app, { timeout: 1 } as never),
      'OPTION_UNKNOWN',
      'Unknown option `timeout` of `fromFetch()`. All options:',
    ],
    [
      'another body',
      () => fromFetch(app, { body: 'auto' as never }),
      'OPTION_INVALID',
      "Invalid option `body` of `fromFetch()`: expected 'stream', got 'auto'.",
    ],
    [
      'globals that are no boolean',
      () => fromFetch(app, { globals: 1 as never }),
      'OPTION_INVALID',
      'Invalid option `globals` of `fromFetch()`: expected a boolean, got 1.',
    ],
    [
      'an invalid option of routes',
      () => fromFetch(app, { maxBodyBytes: -1 }),
      'ROUTE_INVALID',
      'Option `maxBodyBytes` of route',
    ],
  ])('%s', (_, create, code, message) => {
    expect(create).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });

  test('app.mount() tells how to mount a foreign app', () => {
    expect(() => createApp().mount('/x', { fetch: app } as never)).toThrow(
      /`fromFetch\(\)` or `fromNode\(\)` of `loopshard\/adapters`/,
    );
  });
});

describe('a module may export', () => {
  const folder = mkdtempSync(join(root, 'test', 'fixtures', 'modules-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  async function answer(source: string, name: string, path = '/x'): Promise<string> {
    const file = join(folder, name);
    writeFileSync(file, source);
    const server = await serve(pathToFileURL(file), { port: 0, shards: 1, logLevel: 'silent' });
    try {
      return await (await fetch(`http://127.0.0.1:${server.address().port}${path}`)).text();
    } finally {
      await server.close();
    }
  }

  test.each([
    ['a function from Request to Response', 'export default (request) => new Response(request.method);', 'GET'],
    [
      'an object with fetch',
      'export default { port: 1, fetch() { return new Response(typeof this.port); } };',
      'number',
    ],
    ['a function with fetch', "export default Object.assign((a, b) => {}, { fetch: () => new Response('f') });", 'f'],
    ['a class with fetch', "class A { fetch() { return new Response('a'); } } export default new A();", 'a'],
    [
      'a proxy',
      "export default new Proxy({ fetch: () => new Response('p') }, { get: (to, name) => to[name] ?? (() => { throw new Error(String(name)); }) });",
      'p',
    ],
    [
      'fromFetch()',
      "import { fromFetch } from 'loopshard/adapters'; export default fromFetch(() => new Response('w'));",
      'w',
    ],
  ])('%s', async (_, source, expected) => {
    expect(await answer(source, `${expected}.mjs`)).toBe(expected);
  });

  /** The examples of docs/fetch-apps.md: the first lines name them. */
  const examples = readFileSync(join(root, 'docs/fetch-apps.md'), 'utf8')
    .split('```js\n')
    .slice(1)
    .map((block) => block.split('```')[0])
    .filter((source) => source.startsWith('//'));

  test('each of the documented examples', async () => {
    expect(examples.length).toBe(2);
    for (const [i, source] of examples.entries()) {
      const expected = source.includes('no framework') ? '{"method":"GET"}' : '{"hello":"x"}';
      expect(await answer(source, `example-${i}.mjs`, '/hello/x')).toBe(expected);
    }
  });

  test('a fetch app from CommonJS', async () => {
    expect(await answer("exports.default = { fetch: () => new Response('c') };", 'app.cjs')).toBe('c');
  });

  test('but not a function that might be several things: the error names the wrappers', async () => {
    await expect(answer('export default (a, b, c) => {};', 'three.mjs')).rejects.toThrow(
      'It exports a function with 3 parameters. If it handles requests, say how: `export default fromFetch(…)` if it returns a `Response`, or `fromNode(…)` if it takes the request and response of Node.js. Both are exports of `loopshard/adapters`.',
    );
  });
});
