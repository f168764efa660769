import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as send } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import express from 'express';
import { createApp, serve } from 'loopshard';
import { fromNode } from 'loopshard/adapters';
import { Apps } from '../support/apps.js';
import { RawClient } from '../support/client.js';
import { root } from '../support/process.js';
import { expectConserved, startServer, type TestServer, until } from '../support/server.js';

const MOUNTED = 'node/mounted.js';
const read = (name: string) => readFileSync(new URL(`../fixtures/tls/first-${name}.pem`, import.meta.url));
const KEY = read('key');
const CERTIFICATE = read('cert');
let running: TestServer;
let url: string;

beforeAll(async () => {
  running = await startServer({ shards: 1, accessLog: true, requestId: true, httpThreads: 1 }, MOUNTED);
  url = `http://127.0.0.1:${running.port}`;
});

afterAll(async () => {
  await running.server.close();
  await expectConserved(running);
});

async function get(path: string, init?: RequestInit) {
  const response = await fetch(url + path, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const eventsOf = async (name: string, at = url) => (await (await fetch(`${at}/events?of=${name}`)).json()) as string[];

describe('a mounted Node app', () => {
  test.each([
    ['/api', { url: '/', originalUrl: '/api' }],
    ['/api/', { url: '/', originalUrl: '/api/' }],
    ['/api?x', { url: '/?x', originalUrl: '/api?x' }],
    [
      '/api/path/x/y?a=b',
      { url: '/path/x/y?a=b', originalUrl: '/api/path/x/y?a=b', baseUrl: '/api', path: '/path/x/y' },
    ],
  ])('sees %s without its prefix, which Express finds where its own mounted apps do', async (path, expected) => {
    expect(JSON.parse((await get(path)).text)).toEqual(expected);
  });

  test('sees targets without a prefix that has parameters', async () => {
    expect((await get('/tenants/one/two/three')).text).toBe('/two/three');
    expect((await get('/tenants/one')).text).toBe('/');
  });

  test('leaves routes of the app beside it alone', async () => {
    expect((await get('/own')).text).toBe('{"own":true}');
    expect((await get('/api/hot')).text).toBe('hot');
    expect((await get('/elsewhere')).status).toBe(404);
  });

  test('gets targets that are not valid URLs, below its prefix only', async () => {
    const client = await RawClient.open(running.port);
    client.socket.write('GET /tenants/x/%zz?<"> HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(String((await client.response()).body)).toBe('/%zz?<">');
    client.socket.write('GET /own?<"> HTTP/1.1\r\nHost: x\r\n\r\n');
    expect((await client.response()).status).toBe(400);
    client.socket.destroy();
  });

  test('runs inside middleware, whose headers are added, and which can respond instead', async () => {
    const { text: body, headers } = await get('/wrapped/x');
    expect([body, headers.get('x-around')]).toEqual(['wrapped /x', '1']);
    expect(await get('/wrapped/x', { headers: { 'x-stop': '1' } })).toMatchObject({ status: 403 });
  });

  test('has the request id and a line in the access log', async () => {
    const { headers, status } = await get('/api/path/logged');
    const id = headers.get('x-request-id');
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    await until(() => running.logged.some(({ details }) => details.id === id), 'the line');
    const { details } = running.logged.find((line) => line.details.id === id)!;
    expect(details).toMatchObject({ method: 'GET', target: '/api/path/logged', status });
    expect(details.bytes).toBeGreaterThan(100);
  });
});

describe('errors', () => {
  test.each([
    ['throws', 'thrown'],
    ['rejects', 'rejected'],
    ['next', 'passed on'],
    ['nowhere', 'No route matches this path.'],
  ])('what a function %s reaches the error handler of the scope', async (path, message) => {
    expect(await get(`/failing/${path}`)).toMatchObject({ status: 500, text: JSON.stringify({ caught: message }) });
  });

  test('an error in the middle of a response breaks it off, and is logged', async () => {
    await expect(get('/failing/midway')).rejects.toThrow();
    await until(() => running.logged.some(({ details }) => details.err?.message === 'too late'), 'the log');
  });

  test('a handler that takes too long gets 504, and its response is closed', async () => {
    expect((await get('/slow')).status).toBe(504);
    await until(async () => (await eventsOf('slow')).length > 0, 'the event');
    expect(await eventsOf('slow')).toEqual(['close false']);
  });

  test('an uncaught exception fails only its request, whose response is closed', async () => {
    const own = await startServer({ shards: 1, recovery: { onUncaught: 'continue' } }, MOUNTED);
    const at = `http://127.0.0.1:${own.port}`;
    expect((await fetch(`${at}/failing/uncaught`)).status).toBe(500);
    await until(async () => (await eventsOf('failing', at)).includes('close'), 'the event');
    await own.server.close();
    await expectConserved(own);
  });

  test('a body beyond the limit of the route gets 413', async () => {
    expect(await get('/limited', { method: 'POST', body: 'ten bytes!' })).toMatchObject({ text: 'ten bytes!' });
    expect((await get('/limited', { method: 'POST', body: 'eleven byte' })).status).toBe(413);
  });

  test('the rest of a body is aborted when the response is complete', async () => {
    const client = await RawClient.open(running.port);
    client.socket.write('POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nbegun');
    expect(String((await client.response()).body)).toBe('early');
    client.socket.destroy();
    await until(async () => (await eventsOf('early')).includes('aborted'), 'the event');
  });
});

describe('connections', () => {
  test('100 Continue is sent when the app begins to read the body', async () => {
    const waiting = send(`${url}/wrapped/x`, {
      method: 'POST',
      headers: { expect: '100-continue', 'content-length': 3 },
    });
    let isContinued = false;
    waiting.on('continue', () => {
      isContinued = true;
    });
    waiting.flushHeaders();
    const [unread] = await once(waiting, 'response');
    expect([await text(unread), isContinued]).toEqual(['wrapped /x', false]);
    waiting.destroy();
    const read = send(`${url}/limited`, { method: 'POST', headers: { expect: '100-continue', 'content-length': 3 } });
    read.flushHeaders();
    await once(read, 'continue');
    read.end('abc');
    const [response] = await once(read, 'response');
    expect(await text(response)).toBe('abc');
  });

  test('a server with a listener of `checkContinue` decides itself', async () => {
    const ask = (path: string) =>
      send(url + path, { method: 'POST', headers: { expect: '100-continue', 'content-length': 3 } });
    const accepted = ask('/server/x');
    accepted.flushHeaders();
    await once(accepted, 'continue');
    accepted.end('abc');
    expect(await text((await once(accepted, 'response'))[0])).toBe('abc');
    const refused = ask('/server/refuse');
    refused.flushHeaders();
    const [response] = await once(refused, 'response');
    expect(response.statusCode).toBe(417);
    refused.destroy();
    expect((await get('/server/plain')).text).toBe('server /plain');
  });

  test('trailers of a request that another route has buffered are dropped', async () => {
    const client = await RawClient.open(running.port);
    const responseTo = async (sent: string) => {
      client.socket.write(sent);
      return (await client.response()).body.toString();
    };
    const chunks = 'HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n';
    const large = 'x'.repeat(100_000);
    expect(await responseTo(`POST /trailers ${chunks}`)).toBe('{"x-sum":"1"}');
    expect(await responseTo(`POST /own ${chunks}`)).toBe('a');
    expect(
      await responseTo(`POST /trailers HTTP/1.1\r\nHost: x\r\nContent-Length: ${large.length}\r\n\r\n${large}`),
    ).toBe('{}');
    client.destroy();
  });

  test('an app may write the response to the socket', async () => {
    const client = await RawClient.open(running.port);
    client.socket.write('GET /hijacked HTTP/1.1\r\nHost: x\r\n\r\n');
    const { statusLine, body } = await client.response();
    expect([statusLine, String(body)]).toEqual(['HTTP/1.1 200 Own', 'ok']);
    await until(() => client.ended, 'the end');
  });

  test('the last response of a connection says that it is closed', async () => {
    const own = await startServer({ shards: 1, limits: { maxRequestsPerConnection: 2 } }, MOUNTED);
    const client = await RawClient.open(own.port);
    const said: string[] = [];
    for (let i = 0; i < 2; i++) {
      client.socket.write('GET /tenants/a/b HTTP/1.1\r\nHost: x\r\n\r\n');
      const { fields } = await client.response();
      said.push(...fields.filter(([name]) => name === 'connection' || name === 'keep-alive').map(String));
    }
    expect(said).toEqual([
      'connection,keep-alive',
      expect.stringMatching(/^keep-alive,timeout=\d+, max=2$/),
      'connection,close',
    ]);
    await until(() => client.ended, 'the end');
    await own.server.close();
    await expectConserved(own);
  });

  test('a response that has begun is finished while the server drains', async () => {
    const own = await startServer({ shards: 1 }, MOUNTED);
    const at = `http://127.0.0.1:${own.port}`;
    const response = await fetch(`${at}/downloads`);
    const closed = own.server.close();
    expect(await response.text()).toBe('begun and finished');
    await closed;
    await expectConserved(own);
  });

  test('a response that is sent while the server drains says that the connection is closed', async () => {
    const own = await startServer({ shards: 1 }, MOUNTED);
    const client = await RawClient.open(own.port);
    client.socket.write('GET /late HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(async () => (await eventsOf('late', `http://127.0.0.1:${own.port}`)).length > 0, 'the request');
    const closed = own.server.close();
    const { fields, body } = await client.response();
    expect(String(body)).toBe('late');
    expect(fields.filter(([name]) => name === 'connection' || name === 'keep-alive')).toEqual([
      ['connection', 'close'],
    ]);
    await closed;
    await expectConserved(own);
  });

  test('sockets of TLS connections are encrypted', async () => {
    const own = await startServer({ shards: 1, tls: { key: KEY, cert: CERTIFICATE } }, MOUNTED);
    const sent = https.get({ port: own.port, path: '/secure', rejectUnauthorized: false, agent: false });
    expect(JSON.parse(await text((await once(sent, 'response'))[0]))).toEqual(['https', true]);
    await own.server.close();
  });
});

describe('what a module exports', () => {
  const dir = mkdtempSync(join(root, 'build', 'node-apps-'));
  afterAll(() => rmSync(dir, { recursive: true }));

  async function load(source: string, name = 'app.mjs') {
    const file = join(dir, `${Math.random().toString(36).slice(2)}-${name}`);
    writeFileSync(file, source);
    return serve(pathToFileURL(file), { port: 0, shards: 1, logger: { error() {}, warn() {}, info() {} } });
  }

  const IMPORTS = `
import { createServer } from 'node:http';
import connect from 'connect';
import express from 'express';
import fastify from 'fastify';
import Koa from 'koa';
`;
  /** What a compiler makes of decorators. */
  const NEST = `
import 'reflect-metadata';
import * as nest from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
class Controller { find() { return 'found'; } }
nest.Controller()(Controller);
nest.Get('/x')(Controller.prototype, 'find', Object.getOwnPropertyDescriptor(Controller.prototype, 'find'));
class App {}
nest.Module({ controllers: [Controller] })(App);
const app = await NestFactory.create(App, { logger: false });
`;
  test.each([
    ['an Express app', "export default express().get('/x', (req, res) => res.send('found'))"],
    [
      'an Express app that also listens',
      "const app = express().get('/x', (_, res) => res.send('found')); app.listen(1); export default app",
    ],
    [
      'an Express router',
      "const router = express.Router(); router.get('/x', (_, res) => res.end('found')); export default router",
    ],
    ['a Koa app', "const app = new Koa(); app.use((ctx) => { ctx.body = 'found'; }); export default app"],
    ['a Fastify app', "const app = fastify(); app.get('/x', async () => 'found'); export default app"],
    ['a Connect app', "export default connect().use('/x', (_, res) => res.end('found'))"],
    ['a Nest app', `${NEST} export default app`],
    ['nothing, but a Nest app that listens', `${NEST} await app.listen(1)`],
    ['a server', "export default createServer((req, res) => res.end('found'))"],
    ['a function', "export default (req, res) => res.end('found')"],
    ['nothing, but a server that listens', "createServer((req, res) => res.end('found')).listen(1)"],
    ['nothing, but an app that listens', "express().get('/x', (_, res) => res.send('found')).listen(1, '::1')"],
    [
      'nothing, but an app that listens later',
      "const app = fastify(); app.get('/x', async () => 'found'); setTimeout(() => app.listen({ port: 1 }), 2_500)",
    ],
    [
      'nothing, but a server that awaits its port',
      "const server = createServer((req, res) => res.end('found')); await new Promise((resolve) => server.listen(1, resolve)); if (server.address().port !== 1) throw new Error('port')",
    ],
  ])('%s is the app', async (_, source) => {
    const server = await load(IMPORTS + source);
    expect(await (await fetch(`http://127.0.0.1:${server.address().port}/x`)).text()).toBe('found');
    await server.close();
  });

  test('a module that exports nothing and has nothing left to do fails at once', async () => {
    const begin = performance.now();
    await expect(load(`${IMPORTS} express();`)).rejects.toMatchObject({
      code: 'MODULE_WITHOUT_APP',
      message: expect.stringContaining('has no app as its default export'),
    });
    // A module that still does something gets 10 s to listen.
    expect(performance.now() - begin).toBeLessThan(8_000);
  });

  test('a warning tells if the app wants to listen on another port', async () => {
    const probe = createServer();
    await once(probe.listen(0, '127.0.0.1'), 'listening');
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const warnings = async (wanted: number) => {
      const file = join(dir, `listens-${wanted}.mjs`);
      writeFileSync(file, `${IMPORTS} export default express(); express().listen(${wanted});`);
      const messages: string[] = [];
      const logger = { error() {}, warn: (_: object, message: string) => messages.push(message), info() {} };
      const server = await serve(pathToFileURL(file), { port, shards: 2, logger });
      await server.reload();
      await server.close();
      return messages;
    };
    expect(await warnings(port)).toEqual([]);
    expect(await warnings(3_000)).toEqual([
      `the app calls \`listen(3000)\`, which opens no port on shards: the server listens on port ${port}. To use the other one, set the option \`port\`.`,
    ]);
  });

  test('an app without a server has one for middleware that takes over connections, such as proxies', async () => {
    const server = await load(`${IMPORTS}
let server;
export default express().get('/x', (req, res) => {
  server ??= req.socket.server.on('upgrade', (request, socket) => socket.end(\`HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n\${request.url}\`));
  res.send(String(server === req.socket.server));
});`);
    const client = await RawClient.open(server.address().port);
    const offer = 'GET /taken HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    client.write(offer);
    expect((await client.response()).status).toBe(404);
    for (let i = 0; i < 2; i++) {
      client.write('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.response()).body.toString()).toBe('true');
    }
    client.write(offer);
    await client.closed();
    expect(client.pending.toString()).toBe('HTTP/1.1 101 Switching Protocols\r\n\r\n/taken');
    await server.close();
  });

  test('a CommonJS module exports an app', async () => {
    const server = await load(
      "const app = require('express')(); app.get('/x', (_, res) => res.send('found')); module.exports = app",
      'app.cjs',
    );
    expect(await (await fetch(`http://127.0.0.1:${server.address().port}/x`)).text()).toBe('found');
    await server.close();
  });

  test.each([
    ['a module of CommonJS', 'app.cjs', ''],
    ['what a compiler makes of a module', 'app.cjs', "Object.defineProperty(exports, '__esModule', { value: true });"],
    ['an empty object', 'app.mjs', 'export default {};'],
  ])('%s exports nothing, and is the server that it tells to listen later', async (_, name, source) => {
    const server = await load(
      `${source} import('node:http').then(({ createServer }) => { const server = createServer((_, res) => res.end('found')); setTimeout(() => server.listen(1), 50); });`,
      name,
    );
    expect(await (await fetch(`http://127.0.0.1:${server.address().port}/x`)).text()).toBe('found');
    await server.close();
  });

  test('a Fastify app is ready before the first request, and closed at the end', async () => {
    const server = await load(
      `${IMPORTS} const app = fastify(); app.register(async (inner) => { await new Promise((resolve) => setTimeout(resolve, 20)); inner.get('/x', async () => 'found'); }); app.addHook('onClose', async () => console.log('closed')); export default app`,
    );
    expect(await (await fetch(`http://127.0.0.1:${server.address().port}/x`)).text()).toBe('found');
    await server.close();
  });

  const TIMED = `${IMPORTS} const app = fastify({ connectionTimeout: 50 }); let timedOut = 0;
app.addHook('onTimeout', async () => { timedOut++; });
app.get('/x', async () => String(timedOut));`;
  test.each([
    ['a Fastify app', `${TIMED} app.get('/hangs', () => new Promise(() => {})); export default app`, '1'],
    [
      'a server',
      `${IMPORTS} const server = createServer((req, res) => { if (req.url === '/x') res.end('found'); }); server.timeout = 50; export default server`,
      'found',
    ],
    [
      'an Express app that also listens',
      `${IMPORTS} const app = express().get('/x', (_, res) => res.send('found')).get('/hangs', () => {}); app.listen(1).setTimeout(50); export default app`,
      'found',
    ],
  ])('the timeout of the server of %s closes idle connections', async (_, source, text) => {
    const server = await load(source);
    const at = `http://127.0.0.1:${server.address().port}`;
    await expect(fetch(`${at}/hangs`)).rejects.toThrow('fetch failed');
    expect(await (await fetch(`${at}/x`)).text()).toBe(text);
    await server.close();
  });

  test('a listener of the server decides what its timeout does', async () => {
    const server = await load(
      `${IMPORTS} export default createServer(() => {}).setTimeout(50, (socket) => socket._httpMessage.end('late'))`,
    );
    expect(await (await fetch(`http://127.0.0.1:${server.address().port}`)).text()).toBe('late');
    await server.close();
  });

  test('servers on several ports need an export', async () => {
    const source = 'createServer().listen(1); createServer().listen(2)';
    await expect(load(IMPORTS + source)).rejects.toMatchObject({
      code: 'MODULE_WITHOUT_APP',
      message: expect.stringContaining('its servers listen on several ports (1, 2)'),
    });
  });

  test('a function with three parameters is ambiguous', async () => {
    await expect(load('export default (a, b, c) => {}')).rejects.toMatchObject({
      code: 'MODULE_WITHOUT_APP',
      message: expect.stringMatching(/fromFetch.*fromNode/s),
    });
  });

  test('servers of a module with an app of LoopShard listen as before', async () => {
    const source = `import { createServer } from 'node:http';
import { createApp } from 'loopshard';
const metrics = createServer((req, res) => res.end('metrics'));
await new Promise((resolve) => metrics.listen(0, resolve));
const app = createApp();
app.get('/port', () => metrics.address().port);
export default app;`;
    const server = await load(source);
    const at = `http://127.0.0.1:${server.address().port}/port`;
    await until(async () => Number(await (await fetch(at)).text()) > 0, 'the port');
    const port = await (await fetch(at)).text();
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('metrics');
    await server.close();
  });
});

describe('fromNode()', () => {
  const apps = new Apps();
  afterAll(apps.close);

  test('runs an app in the thread of a test', async () => {
    const app = express().post('/echo', express.json(), (req, res) => void res.json(req.body));
    const { ask } = await apps.run(createApp().mount('/', fromNode(app)));
    expect((await ask('/echo', { method: 'POST', payload: { a: 1 } })).json()).toEqual({ a: 1 });
  });

  test.each([
    [undefined, 'got undefined'],
    [{}, 'got {}'],
    ['app', "got 'app'"],
  ])('rejects %j', (given, message) => {
    expect(() => fromNode(given as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    );
  });

  test('rejects unknown and invalid options', () => {
    const app = createServer();
    expect(() => fromNode(app, { maxBody: 1 } as never)).toThrow(expect.objectContaining({ code: 'OPTION_UNKNOWN' }));
    expect(() => fromNode(app, { maxBodyBytes: -1 })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    expect(() => fromNode(app, { handlerTimeoutMs: 'x' } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
    expect(() => fromNode(app, null as never)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});
