import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, get, post, RawClient } from './support/client.js';
import { startHttpThreads } from './support/http-threads.js';
import { loopshard } from './support/process.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';
import { type ExportedSpan, Spans } from './support/spans.js';

/* Spans of a real OpenTelemetry SDK on the shards. */
const TRACING = new URL('./fixtures/traces/tracing.js', import.meta.url);
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT_ID = 'b7ad6b7169203331';
const SERVER_KIND = 1;
const UNSET = 0;
const ERROR = 2;
const EVENTS = ['queued', 'claimed', 'started', 'settled', 'sent'];

let running: TestServer;
let spans: Spans;

beforeEach(() => {
  spans = new Spans();
});

afterEach(async () => {
  await expectConserved(running);
  await running.server.close();
  spans.close();
});

async function start(options: ServeOptions = {}, fixture = 'app.js', sampler = 'on'): Promise<void> {
  const threads = { preload: new URL(`?sampler=${sampler}`, TRACING) };
  running = await startServer({ shards: 1, threads, ...options }, `traces/${fixture}`);
}

const traceparent = (flags = '01') => `traceparent: 00-${TRACE_ID}-${PARENT_ID}-${flags}`;
const namesOf = ({ events }: ExportedSpan) => events.map(({ name }) => name);

/** Checks that the times of a span do not go back, from its start over its events to its end. */
function expectInOrder({ start, events, end }: ExportedSpan): void {
  const times = [start, ...events.map(({ at }) => at), end];
  expect([...times].sort((a, b) => a - b)).toEqual(times);
}

/** The time of an event. */
function timeOf(span: ExportedSpan, name: string): number {
  return span.events.find((event) => event.name === name)!.at;
}

describe('a request', () => {
  test('has a server span with the attributes of the semantic conventions, and its events in order', async () => {
    await start();
    const before = Date.now();
    const target = '/users/7?a=1&sig=secret&b=2';
    const client = await RawClient.open(running.port);
    client.write(get(target, traceparent(), 'User-Agent: tests').replace('localhost', 'shop.example:8080'));
    expect((await client.response()).status).toBe(200);
    const span = await spans.of('/users/7');
    const after = Date.now();
    expect(span).toMatchObject({
      name: 'GET /users/:id',
      kind: SERVER_KIND,
      traceId: TRACE_ID,
      parentId: PARENT_ID,
      status: { code: UNSET },
    });
    expect(span.attributes).toEqual({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.route': '/users/:id',
      'url.path': '/users/7',
      'url.query': 'a=1&sig=REDACTED&b=2',
      'url.scheme': 'http',
      'server.address': 'shop.example',
      'server.port': 8080,
      'client.address': '127.0.0.1',
      'network.peer.address': '127.0.0.1',
      'network.peer.port': client.socket.localPort,
      'network.protocol.version': '1.1',
      'user_agent.original': 'tests',
      'loopshard.shard': 0,
      'loopshard.group': 'default',
    });
    client.destroy();
    expect(namesOf(span)).toEqual(EVENTS);
    expectInOrder(span);
    // The start of a span has whole milliseconds at the call of the handler.
    expect(span.start).toBeGreaterThan(before - 1);
    expect(span.end).toBeLessThanOrEqual(after);
  });

  test('is described by the headers of trusted proxies', async () => {
    await start({ trustProxy: 'loopback' });
    const fields = ['X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: [2001:db8::1]:444'];
    await exchange(running.port, get('/users/1', ...fields));
    expect((await spans.of('/users/1')).attributes).toMatchObject({
      'client.address': '203.0.113.7',
      'url.scheme': 'https',
      'server.address': '2001:db8::1',
      'server.port': 444,
      'network.peer.address': '127.0.0.1',
    });
  });

  test('of an unusual method has a name of which there are few', async () => {
    await start({}, 'express-app.js');
    await exchange(running.port, get('/plain').replace('GET', 'PROPFIND'));
    const span = await spans.of('/plain');
    expect(span.name).toBe('HTTP');
    expect(span.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'PROPFIND',
    });
  });

  test('that arrives in pieces begins with its first one', async () => {
    await start();
    const client = await RawClient.open(running.port);
    const bytes = post('/upload', 'x'.repeat(1_000));
    client.write(bytes.subarray(0, 300));
    await until(() => running.server.stats().connections === 1, 'the connection');
    // Time passes for the client.
    const later = Date.now() + 30;
    await until(() => Date.now() > later, 'some time');
    client.write(bytes.subarray(300));
    expect((await client.response()).status).toBe(200);
    client.destroy();
    const span = await spans.of('/upload');
    expect(timeOf(span, 'queued') - span.start).toBeGreaterThan(20);
    expectInOrder(span);
  });

  test('that waits for a busy shard shows how long', async () => {
    await start({ scheduling: { permits: 1 } });
    const first = exchange(running.port, get('/held/a'));
    await spans.started('a');
    const second = exchange(running.port, get('/users/2'));
    await until(() => running.server.stats().shards[0].queued === 1, 'the queue');
    const later = Date.now() + 30;
    await until(() => Date.now() > later, 'some time');
    spans.release('a');
    await Promise.all([first, second]);
    const span = await spans.of('/users/2');
    expect(timeOf(span, 'started') - timeOf(span, 'queued')).toBeGreaterThan(25);
    const held = await spans.of('/held/a');
    expect(timeOf(held, 'settled') - timeOf(held, 'started')).toBeGreaterThan(25);
  });

  test('ends when the client has read the response', async () => {
    await start();
    const client = await RawClient.open(running.port);
    client.socket.pause();
    const bytes = 16 * 2 ** 20;
    client.write(get(`/bytes/${bytes}`));
    await until(() => running.server.stats().shards[0].streams === 1, 'the stream');
    const later = Date.now() + 50;
    await until(() => Date.now() > later, 'some time');
    expect(spans.ofServer).toEqual([]);
    client.socket.resume();
    expect((await client.response()).body.length).toBe(bytes);
    client.destroy();
    const span = await spans.of(`/bytes/${bytes}`);
    expect(timeOf(span, 'sent') - timeOf(span, 'settled')).toBeGreaterThan(45);
    expectInOrder(span);
  });
});

describe('spans of the app are children of the server span', () => {
  const request = async (target: string) => (await exchange(running.port, get(target))).body.toString();

  test('in handlers and middleware', async () => {
    await start();
    await request('/child');
    const ofChild = await spans.of('/child');
    expect(await spans.named('sync')).toMatchObject({ traceId: ofChild.traceId, parentId: ofChild.spanId });
    expect(await request('/wrapped/1')).toBe('wrapped');
    const server = await spans.of('/wrapped/1');
    const middleware = await spans.named('middleware');
    const handler = await spans.named('handler');
    expect(await spans.named('before')).toMatchObject({ traceId: server.traceId, parentId: server.spanId });
    expect(middleware.parentId).toBe(server.spanId);
    expect(handler.parentId).toBe(middleware.spanId);
    expect(server.parentId).toBeUndefined();
    expect(server.traceId).not.toBe(ofChild.traceId);
  });

  test('and begin after the start of the handler, though their clocks have whole milliseconds', async () => {
    await start();
    const client = await RawClient.open(running.port);
    for (let i = 0; i < 30; i++) {
      client.write(get('/child'));
      await client.response();
    }
    client.destroy();
    await until(() => spans.ofServer.length === 30, 'the spans');
    for (const server of spans.ofServer) {
      const child = spans.all.find(({ parentId }) => parentId === server.spanId)!;
      expect(child.start).toBeGreaterThanOrEqual(timeOf(server, 'started'));
      expect(child.start - timeOf(server, 'started')).toBeLessThan(server.end - server.start + 1);
    }
  });

  test('in streams, error handlers and upgraded connections', async () => {
    await start();
    const client = await RawClient.open(running.port);
    client.write(get('/stream'));
    await until(() => client.pending.toString().endsWith('0\r\n\r\n'), 'the stream');
    client.destroy();
    const stream = await spans.of('/stream');
    expect((await spans.named('pull')).parentId).toBe(stream.spanId);
    expect(await request('/handled/error')).toBe('handled');
    expect((await spans.named('error handler')).parentId).toBe((await spans.of('/handled/error')).spanId);
    const upgraded = await RawClient.open(running.port);
    upgraded.write(get('/upgrade', 'Connection: Upgrade', 'Upgrade: echo'));
    await until(() => upgraded.pending.length > 0, 'the upgrade');
    const span = await spans.of('/upgrade');
    expect((await spans.named('upgraded')).parentId).toBe(span.spanId);
    // It does not last as long as the connection.
    expect(span.attributes['http.response.status_code']).toBe(101);
    expect(span.status.code).toBe(UNSET);
    upgraded.destroy();
    const later = await RawClient.open(running.port);
    later.write(get('/upgrade-later', 'Connection: Upgrade', 'Upgrade: echo'));
    await until(() => later.pending.length > 0, 'the upgrade');
    expect((await spans.of('/upgrade-later')).attributes['http.response.status_code']).toBe(101);
    later.destroy();
  });

  test.each(['express', 'fastify', 'hono'])('in an app of %s', async (framework) => {
    await start({}, `${framework}-app.js`);
    expect(JSON.parse(await request('/users/7'))).toEqual({ id: '7' });
    const server = await spans.of('/users/7');
    expect((await spans.named('handler')).parentId).toBe(server.spanId);
    expect(namesOf(server)).toEqual(EVENTS);
    expectInOrder(server);
    expect(server.attributes['http.response.status_code']).toBe(200);
    // The instrumentation of the framework knows the route, if there is one.
    expect([server.name, server.attributes['http.route']]).toEqual(
      framework === 'express' ? ['GET /users/:id', '/users/:id'] : ['GET', undefined],
    );
  });

  test('in an app of Express that responds later, in pieces, or fails', async () => {
    await start({}, 'express-app.js');
    expect(await request('/plain')).toBe('plain');
    expect(namesOf(await spans.of('/plain'))).toEqual(EVENTS);
    const client = await RawClient.open(running.port);
    client.write(get('/pieces'));
    await until(() => client.pending.toString().endsWith('0\r\n\r\n'), 'the response');
    client.destroy();
    const pieces = await spans.of('/pieces');
    expect(namesOf(pieces)).toEqual(EVENTS);
    expect(timeOf(pieces, 'sent') - timeOf(pieces, 'settled')).toBeGreaterThan(15);
    await request('/fails');
    expect(await spans.of('/fails')).toMatchObject({
      status: { code: ERROR },
      attributes: { 'http.response.status_code': 500, 'error.type': '500' },
    });
  });
});

describe('the context of the client', () => {
  const read = async (target: string, ...fields: string[]) =>
    (await exchange(running.port, get(target, ...fields))).body.toString();

  test('crosses the hop with tracestate and baggage', async () => {
    await start();
    const carrier = JSON.parse(await read('/headers', traceparent(), 'tracestate: a=1,b=2'));
    const span = await spans.of('/headers');
    expect(span).toMatchObject({ traceId: TRACE_ID, parentId: PARENT_ID, traceState: 'a=1,b=2' });
    expect(carrier).toMatchObject({ traceparent: `00-${TRACE_ID}-${span.spanId}-01`, tracestate: 'a=1,b=2' });
    expect(await read('/baggage', 'baggage: user=ada')).toBe('ada');
    expect(await read('/baggage')).toBe('none');
  });

  test.each([
    ['an unknown version with extra fields', 'traceparent: ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    ['a trace id of zeros', `traceparent: 00-${'0'.repeat(32)}-${PARENT_ID}-01`],
    ['a short span id', `traceparent: 00-${TRACE_ID}-abc-01`],
    ['upper case', `traceparent: 00-${TRACE_ID.toUpperCase()}-${PARENT_ID}-01`],
    ['other characters', 'traceparent: \u00e4\u00f6\u00fc'],
    ['nothing', 'traceparent:'],
    ['two values', `${traceparent()}\r\n${traceparent()}`],
  ])('is treated as absent if traceparent has %s', async (_what, line) => {
    await start();
    expect(JSON.parse(await read('/users/9', line))).toEqual({ id: '9' });
    const span = await spans.of('/users/9');
    expect(span.parentId).toBeUndefined();
    expect(span.traceId).not.toBe(TRACE_ID);
  });

  test('is passed on for requests that are not sampled, which have no spans', async () => {
    await start();
    const carrier = JSON.parse(await read('/headers', traceparent('00')));
    expect(carrier.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`));
    expect(carrier.traceparent).not.toContain(PARENT_ID);
    await read('/child', traceparent('00'));
    await read('/users/1', traceparent('01'));
    await spans.of('/users/1');
    expect(spans.all.length).toBe(1);
  });

  test('is decided by the sampler of the SDK if the client has none', async () => {
    await start({}, 'app.js', 'off');
    await read('/users/1');
    await read('/nothing');
    await read('/users/2', traceparent());
    await spans.of('/users/2');
    expect(spans.all.length).toBe(1);
  });
});

describe('errors', () => {
  const read = async (target: string) => (await exchange(running.port, get(target))).status;

  test('of handlers are recorded with their exceptions', async () => {
    await start();
    expect(await read('/throws')).toBe(500);
    const span = await spans.of('/throws');
    expect(span.status).toEqual({ code: ERROR, message: 'on purpose' });
    expect(span.attributes).toMatchObject({ 'http.response.status_code': 500, 'error.type': 'TypeError' });
    expect(namesOf(span)).toEqual(['queued', 'claimed', 'started', 'exception', 'settled', 'sent']);
    expect(span.events[3].attributes).toMatchObject({
      'exception.type': 'TypeError',
      'exception.message': 'on purpose',
    });
    expectInOrder(span);
    expect(await read('/throws-later')).toBe(500);
    expect((await spans.of('/throws-later')).attributes['error.type']).toBe('RangeError');
    expect(await read('/handled/error')).toBe(400);
    expect(await spans.of('/handled/error')).toMatchObject({
      status: { code: ERROR },
      attributes: { 'http.response.status_code': 400, 'error.type': 'SyntaxError' },
    });
  });

  test('that concern the client are not errors of the server', async () => {
    await start();
    for (const [target, status] of [
      ['/refuses', 409],
      ['/nowhere', 404],
    ] as const) {
      expect(await read(target)).toBe(status);
      const span = await spans.of(target);
      expect(span.status.code).toBe(UNSET);
      expect(span.attributes['http.response.status_code']).toBe(status);
      expect(span.attributes).not.toHaveProperty('error.type');
    }
    expect(await read('/unavailable')).toBe(503);
    expect(await spans.of('/unavailable')).toMatchObject({
      status: { code: ERROR },
      attributes: { 'http.response.status_code': 503, 'error.type': 'HttpError' },
    });
  });

  test('in the middle of a stream', async () => {
    await start();
    const client = await RawClient.open(running.port);
    client.write(get('/breaks'));
    await client.closed();
    const span = await spans.of('/breaks');
    expect(span).toMatchObject({
      status: { code: ERROR, message: 'in the middle' },
      attributes: { 'http.response.status_code': 200, 'error.type': 'Error' },
    });
    expectInOrder(span);
  });

  test('of the SDK do not fail requests', async () => {
    await start({}, 'app.js', 'fails');
    for (let i = 0; i < 3; i++) expect(await read(`/users/${i}`)).toBe(200);
    expect(await read('/nowhere')).toBe(404);
    await until(() => running.logged.length > 0, 'the report');
    expect(running.logged).toEqual([
      { level: 'error', message: 'tracing a request failed', details: expect.objectContaining({ shard: 0 }) },
    ]);
    expect(running.logged[0].details.err?.message).toBe('the sampler fails');
  });
});

describe.each([1, 2])('a response of the HTTP thread has a span, with %i HTTP threads', (httpThreads) => {
  const begin = async (options: ServeOptions) => {
    running = await startHttpThreads(httpThreads, { threads: { preload: TRACING }, ...options }, 'traces/app.js');
  };

  test('if no handler is needed', async () => {
    await begin({ shards: 2, health: true });
    const { port } = running;
    expect((await exchange(port, get('/fixed', traceparent()))).status).toBe(200);
    const fixed = await spans.of('/fixed');
    expect(fixed).toMatchObject({
      name: 'GET /fixed',
      kind: SERVER_KIND,
      traceId: TRACE_ID,
      parentId: PARENT_ID,
      status: { code: UNSET },
      attributes: {
        'http.route': '/fixed',
        'http.response.status_code': 200,
        'server.address': 'localhost',
        'client.address': '127.0.0.1',
      },
    });
    expect(namesOf(fixed)).toEqual(['sent']);
    expectInOrder(fixed);
    await exchange(port, get('/livez'));
    expect((await spans.of('/livez')).attributes['http.response.status_code']).toBe(200);
    await exchange(port, get('/no/such/path'));
    expect(await spans.of('/no/such/path')).toMatchObject({ name: 'GET', status: { code: UNSET } });
    await exchange(port, post('/users/1', ''));
    expect((await spans.of('/users/1')).attributes['http.response.status_code']).toBe(405);
  });

  test('if the request waits too long, or does not fit the queue', async () => {
    await begin({ shards: 1, scheduling: { permits: 1 }, memory: { slots: 4 * httpThreads } });
    const first = exchange(running.port, get('/held/a'));
    await spans.started('a');
    expect((await exchange(running.port, get('/impatient/b', traceparent()))).status).toBe(503);
    const late = await spans.of('/impatient/b');
    expect(late).toMatchObject({
      name: 'GET /impatient/:name',
      traceId: TRACE_ID,
      parentId: PARENT_ID,
      status: { code: ERROR },
      attributes: { 'http.response.status_code': 503, 'error.type': 'QUEUE_TIMEOUT', 'client.address': '127.0.0.1' },
    });
    expect(namesOf(late)).toEqual(['queued', 'sent']);
    expect(timeOf(late, 'sent') - timeOf(late, 'queued')).toBeGreaterThan(45);
    const waiting: Promise<unknown>[] = [];
    for (let i = 0; ; i++) {
      const client = await RawClient.open(running.port);
      client.write(get(`/users/${i}`));
      const response = client.response();
      waiting.push(response);
      const isRefused = () => spans.ofServer.some(({ attributes }) => attributes['error.type'] === 'NO_SLOT');
      const isQueued = () => running.server.stats().shards[0].queued === i + 1;
      await until(async () => isQueued() || isRefused(), 'the queue or the rejection');
      if (isRefused()) break;
    }
    expect(spans.ofServer.at(-1)).toMatchObject({
      status: { code: ERROR },
      attributes: { 'http.response.status_code': 503 },
    });
    spans.release('a');
    await Promise.all([first, ...waiting]);
  });

  test('if the handler takes too long', async () => {
    await begin({ shards: 1 });
    expect((await exchange(running.port, get('/limited/a', traceparent()))).status).toBe(504);
    const span = await spans.of('/limited/a');
    expect(span).toMatchObject({
      parentId: PARENT_ID,
      status: { code: ERROR },
      attributes: { 'http.response.status_code': 504, 'error.type': 'HANDLER_TIMEOUT' },
    });
    expect(namesOf(span)).toEqual(['queued', 'claimed', 'started', 'sent']);
    expect(timeOf(span, 'sent') - timeOf(span, 'started')).toBeGreaterThan(40);
    expectInOrder(span);
    spans.release('a');
  });

  test('if the shard has ended: on another shard', async () => {
    await begin({ shards: 2 });
    expect((await exchange(running.port, get('/die', traceparent()))).status).toBe(502);
    const span = await spans.of('/die');
    expect(span).toMatchObject({
      name: 'GET /die',
      traceId: TRACE_ID,
      parentId: PARENT_ID,
      status: { code: ERROR },
      attributes: { 'http.response.status_code': 502, 'error.type': 'SHARD_LOST' },
    });
    expect(namesOf(span)).toEqual(['queued', 'started', 'sent']);
    expectInOrder(span);
    await until(() => running.server.stats().shards.every(({ state }) => state === 'ready'), 'the replacement');
  });

  test('if the body is too large', async () => {
    await begin({ shards: 1 });
    const client = await RawClient.open(running.port);
    client.write('POST /streamed HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
    await until(() => running.server.stats().shards[0].permits.available < 512, 'the handler');
    client.write(`ff\r\n${'x'.repeat(255)}\r\n0\r\n\r\n`);
    expect((await client.response()).status).toBe(413);
    client.destroy();
    const span = await spans.of('/streamed');
    expect(span.attributes).toMatchObject({ 'http.response.status_code': 413 });
    expect(span.status.code).toBe(UNSET);
  });
});

describe('a client that disconnects', () => {
  async function send(target: string): Promise<RawClient> {
    const client = await RawClient.open(running.port);
    client.write(get(target, traceparent()));
    return client;
  }

  test('while its handler runs', async () => {
    await start();
    const client = await send('/held/a');
    await spans.started('a');
    client.socket.resetAndDestroy();
    await until(() => running.server.stats().connections === 0, 'the end of the connection');
    spans.release('a');
    const span = await spans.of('/held/a');
    expect(span).toMatchObject({ parentId: PARENT_ID, status: { code: ERROR } });
    expect(span.attributes).toMatchObject({ 'error.type': 'CONNECTION_CLOSED', 'loopshard.aborted': true });
    expect(span.attributes).not.toHaveProperty('http.response.status_code');
    expect(namesOf(span)).toEqual(['queued', 'claimed', 'started', 'settled']);
    expectInOrder(span);
  });

  test('while its request is queued', async () => {
    await start({ scheduling: { permits: 1 } });
    const first = exchange(running.port, get('/held/a'));
    await spans.started('a');
    const client = await send('/users/2');
    await until(() => running.server.stats().shards[0].queued === 1, 'the queue');
    client.socket.resetAndDestroy();
    const span = await spans.of('/users/2');
    expect(span).toMatchObject({ name: 'GET /users/:id', parentId: PARENT_ID, status: { code: ERROR } });
    expect(span.attributes).toMatchObject({ 'error.type': 'CONNECTION_CLOSED', 'loopshard.aborted': true });
    expect(namesOf(span)).toEqual(['queued']);
    spans.release('a');
    await first;
  });

  test('in the middle of a stream', async () => {
    await start();
    const client = await send('/held-stream/a');
    await spans.started('a');
    await until(() => client.pending.toString().includes('begun'), 'the first chunk');
    client.socket.resetAndDestroy();
    const span = await spans.of('/held-stream/a');
    // Many streams end like this.
    expect(span.status.code).toBe(UNSET);
    expect(span.attributes).toMatchObject({ 'http.response.status_code': 200, 'loopshard.aborted': true });
    expect(namesOf(span)).toEqual(['queued', 'claimed', 'started', 'settled']);
    expectInOrder(span);
    spans.release('a');
  });

  test('or is disconnected by the handler', async () => {
    await start();
    const client = await send('/closes');
    await client.closed();
    const span = await spans.of('/closes');
    expect(span.attributes).toMatchObject({ 'error.type': 'CONNECTION_CLOSED', 'loopshard.aborted': true });
    expect(span.attributes).not.toHaveProperty('http.response.status_code');
  });
});

test('the spans of an HTTP thread that ends are ended, and its replacement reports to the shards', async () => {
  const httpModule = new URL('./fixtures/http-module.js', import.meta.url);
  const several = await startHttpThreads(2, { shards: 1, threads: { preload: TRACING }, httpModule }, 'traces/app.js');
  running = several;
  const [port] = several.ports;
  const held = await RawClient.open(port);
  held.write(get('/held/a'));
  const stream = await RawClient.open(port);
  stream.write(get('/held-stream/b'));
  await spans.started('a');
  await spans.started('b');
  const killer = await RawClient.open(port);
  killer.write(get('/exit', 'Connection: Upgrade', 'Upgrade: shout'));
  for (const client of [killer, held, stream]) await client.closed();
  for (const path of ['/held/a', '/held-stream/b']) {
    expect((await spans.of(path)).attributes).toMatchObject({ 'loopshard.aborted': true });
  }
  for (const name of ['a', 'b']) spans.release(name);
  await until(
    () =>
      exchange(port, get('/users/1')).then(
        () => true,
        () => false,
      ),
    'the replacement',
  );
  expect(namesOf(await spans.of('/users/1'))).toEqual(EVENTS);
});

describe('the SDK', () => {
  test('may be registered by the app, and is ended after the last span', async () => {
    running = await startServer({ shards: 2 }, 'traces/traced-app.js');
    const client = await RawClient.open(running.port);
    client.write(get('/users/1').repeat(20));
    for (let i = 0; i < 20; i++) await client.response();
    client.destroy();
    await running.server.close();
    await until(() => spans.shutdowns === 2, 'the end of both SDKs');
    expect(spans.ofServer.length).toBe(20);
    expect(spans.ofServer.every((span) => namesOf(span).at(-1) === 'sent')).toBe(true);
  });

  test('traces requests after a reload and a restart of a shard', async () => {
    await start({ shards: 1 });
    await running.server.reload();
    await exchange(running.port, get('/users/1'));
    expect(namesOf(await spans.of('/users/1'))).toEqual(EVENTS);
    await exchange(running.port, get('/die'));
    await until(() => running.server.stats().shards[0].restarts === 1, 'the restart');
    await until(() => running.server.stats().shards[0].state === 'ready', 'the next thread');
    await exchange(running.port, get('/users/2'));
    expect(namesOf(await spans.of('/users/2'))).toEqual(EVENTS);
  });

  test('traces nothing with `traces: false`', async () => {
    await start({ traces: false });
    expect((await exchange(running.port, get('/child'))).status).toBe(200);
    const child = await spans.named('sync');
    expect(child.parentId).toBeUndefined();
    expect(spans.ofServer).toEqual([]);
  });
});

test('without shards, requests are traced in the calling thread', async () => {
  running = await startServer({ shards: 1 });
  const app = fileURLToPath(new URL('./fixtures/traces/printing-app.js', import.meta.url));
  const program = loopshard('serve', app, '--port', '0', '--shards', '0', '--preload', fileURLToPath(TRACING));
  const [, port] = await program.printed(/127\.0\.0\.1:(\d+)/);
  await exchange(Number(port), get('/users/1', traceparent()));
  const [, printed] = await program.printed(/span: (.*)/);
  const span = JSON.parse(printed);
  expect(span).toMatchObject({ name: 'GET /users/:id', parentId: PARENT_ID });
  expect(namesOf(span)).toEqual(EVENTS);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});
