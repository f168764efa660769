import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exchange, field, get, post, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until, untilStarted } from './support/server.js';

let running: TestServer;
let port: number;

beforeAll(async () => {
  running = await startServer({ shards: 1 });
  port = running.port;
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const json = async (target: string) => JSON.parse((await exchange(port, get(target))).body.toString());

describe('what a handler returns', () => {
  test.each([
    ['/json', 'application/json', '{"message":"Hello, World!"}'],
    ['/text', 'text/plain; charset=utf-8', 'grüße'],
    ['/buffer', 'application/octet-stream', 'a buffer'],
    ['/null', 'application/json', 'null'],
    ['/number', 'application/json', '42'],
    ['/empty', 'text/plain; charset=utf-8', ''],
  ])('%s is sent as %s', async (target, type, body) => {
    const response = await exchange(port, get(target));
    expect(response.status).toBe(200);
    expect(field(response, 'content-type')).toBe(type);
    expect(response.body.toString()).toBe(body);
  });

  test('bytes are sent unchanged', async () => {
    const { body } = await exchange(port, get('/raw'));
    expect([...body]).toEqual([0, 1, 2, 253, 254, 255]);
  });

  test('undefined is 204 without a length, or the status that was set with length 0', async () => {
    const nothing = await exchange(port, get('/nothing'));
    expect([nothing.status, field(nothing, 'content-length')]).toEqual([204, undefined]);
    const created = await exchange(port, get('/created'));
    expect([created.status, field(created, 'content-length')]).toEqual([201, '0']);
  });
});

describe('status and headers', () => {
  test('are those that the handler set', async () => {
    const response = await exchange(
      port,
      get('/headers', 'X-Mixed: Case', 'Accept: a', 'Accept: b', 'Cookie: c=1', 'Cookie: d=2'),
    );
    expect(response.fields.filter(([name]) => name.startsWith('x-') || name === 'set-cookie')).toEqual([
      ['x-one', 'one'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]);
    expect(field(response, 'content-type')).toBe('text/x-test; charset=utf-8');
    expect(JSON.parse(response.body.toString())).toEqual({
      host: 'localhost',
      'x-mixed': 'Case',
      accept: 'a, b',
      cookie: 'c=1; d=2',
    });
    const teapot = await exchange(port, get('/status/418'));
    expect(teapot.statusLine).toBe("HTTP/1.1 418 I'm a Teapot");
  });

  test.each(['/status/205', '/stream-status/205'])('205 has no content and content-length: 0 (%s)', async (path) => {
    const client = await RawClient.open(port);
    client.write(get(path) + get('/text'));
    const response = await client.response();
    expect([response.status, field(response, 'content-length'), response.body.length]).toEqual([205, '0', 0]);
    expect((await client.response()).body.toString()).toBe('grüße');
    client.destroy();
  });

  test('304 has neither a body nor a length', async () => {
    const response = await exchange(port, get('/status/304'));
    expect([response.status, field(response, 'content-length')]).toEqual([304, undefined]);
  });

  test.each(['%0D%0AX-Injected:%201', '%0A', '%00', 'a%E2%82%AC'])(
    'a value with %s gets 500 and is not sent',
    async (value) => {
      const response = await exchange(port, get(`/bad-header?value=${value}`));
      expect(response.status).toBe(500);
      expect(response.fields.map(([name]) => name).sort()).toEqual([
        'connection',
        'content-length',
        'content-type',
        'date',
        'keep-alive',
      ]);
      expect(running.logged.at(-1)!.details.err).toMatchObject({ code: 'HEADER_INVALID' });
    },
  );

  test.each(['content-length', 'Transfer-Encoding', 'x y', ''])('the name "%s" gets 500', async (name) => {
    expect((await exchange(port, get(`/bad-header?name=${encodeURIComponent(name)}`))).status).toBe(500);
  });

  test.each(['199', '600', '2.5', 'x'])('the status %s gets 500', async (status) => {
    expect((await exchange(port, get(`/status/${status}`))).status).toBe(500);
  });
});

describe('the request', () => {
  test('has decoded parameters and queries', async () => {
    const request = await json('/request/a%20b%2Fc?x=1&x=2&y=%C3%BC&__proto__=p&empty=');
    expect(request).toMatchObject({ id: 'a b/c', path: '/request/a%20b%2Fc' });
    expect(Object.entries(request.query)).toEqual([
      ['x', ['1', '2']],
      ['y', 'ü'],
      ['__proto__', 'p'],
      ['empty', ''],
    ]);
    expect(await json('/files/a/b.txt')).toEqual({ rest: 'a/b.txt' });
  });

  test('parses JSON, and gets 400 for invalid JSON', async () => {
    expect((await exchange(port, post('/parse', '{"a":[1,"ü"]}'))).body.toString()).toBe('{"parsed":{"a":[1,"ü"]}}');
    const before = running.logged.length;
    const bad = await exchange(port, post('/parse', '{"a":'));
    expect(bad.status).toBe(400);
    expect(JSON.parse(bad.body.toString()).code).toBe('BODY_INVALID');
    expect(running.logged.length).toBe(before);
  });

  test('cannot be read once it is finished', async () => {
    await exchange(port, get('/keep'));
    expect(await json('/kept')).toEqual({ code: 'REQUEST_FINISHED' });
  });

  test('is aborted when the client disconnects', async () => {
    const { aborted } = await json('/aborted');
    const client = await RawClient.open(port);
    client.write(get('/await-abort'));
    await untilStarted(running, 1);
    client.socket.resetAndDestroy();
    await until(async () => (await json('/aborted')).aborted === aborted + 1, 'the abort');
  });
});

describe('handlers that fail', () => {
  test.each(['/throw', '/reject', '/throw-string', '/bigint', '/cycle', '/function'])(
    '%s gets 500 without a stack, and is logged with one',
    async (target) => {
      const before = running.logged.length;
      const response = await exchange(port, get(target));
      expect(response.status).toBe(500);
      expect(field(response, 'content-type')).toBe('application/json');
      expect(JSON.parse(response.body.toString())).toEqual({
        statusCode: 500,
        code: 'HANDLER_FAILED',
        message: 'The handler failed. The server has logged the error.',
      });
      await until(() => running.logged.length > before, 'the log entry');
      const { level, message, details } = running.logged.at(-1)!;
      expect([level, message]).toEqual(['error', `GET ${target} failed`]);
      expect(details.err).toBeInstanceOf(Error);
      expect(details.req).toMatchObject({ method: 'GET', target });
      if (target === '/throw') expect(details.err!.stack).toContain('fixtures/app.js');
    },
  );
});

describe('handlers that misbehave', () => {
  test.each([
    'null-prototype',
    'symbol-name',
    'function-message',
    'stack-getter',
    'then-getter',
    'then-throws',
    'proxy',
    'long-type',
  ])('%s gets 500, is logged, and does not end the shard', async (what) => {
    const before = running.logged.length;
    expect((await exchange(port, get(`/odd/${what}`))).status).toBe(500);
    await until(() => running.logged.length > before, 'the log entry');
    expect((await exchange(port, get('/json'))).status).toBe(200);
    expect(running.server.stats().shards[0].restarts).toBe(0);
  });

  test('a promise that settles twice sends one response', async () => {
    const client = await RawClient.open(port);
    for (let i = 0; i < 20; i++) {
      client.write(get(`/twice/${i}`) + get(`/later/8/then-${i}`));
      expect((await client.response()).body.toString()).toBe(String(i));
      expect((await client.response()).body.toString()).toBe(`then-${i}`);
    }
    client.destroy();
    await expectConserved(running);
  });

  test('bytes with a false length are sent completely, and written nowhere else', async () => {
    const others = await Promise.all([1, 2, 3].map(() => RawClient.open(port)));
    for (const other of others) other.write(get('/later/50/other'));
    expect((await exchange(port, get('/short'))).body.equals(Buffer.alloc(60_000, 'a'))).toBe(true);
    for (const other of others) {
      expect((await other.response()).body.toString()).toBe('other');
      other.destroy();
    }
  });
});

describe('handlers for errors and for unknown paths', () => {
  let custom: TestServer;
  beforeAll(async () => {
    custom = await startServer({ shards: 1 }, 'custom-app.js');
  });
  afterAll(async () => {
    await expectConserved(custom);
    await custom.server.close();
  });

  test('send their responses', async () => {
    const missing = await exchange(custom.port, get('/nowhere?x=1'));
    expect([missing.status, missing.body.toString()]).toEqual([404, 'no /nowhere here']);
    const failed = await exchange(custom.port, get('/throw'));
    expect([failed.status, failed.body.toString()]).toEqual([500, 'sorry: thrown']);
    const teapot = await exchange(custom.port, get('/teapot'));
    expect([teapot.status, field(teapot, 'x-late')]).toEqual([418, undefined]);
    expect((await exchange(custom.port, post('/throw', ''))).status).toBe(405);
    const mismatch = await exchange(custom.port, get('/mismatch'));
    expect([mismatch.status, mismatch.body.toString()]).toEqual([500, '"written"']);
  });

  test('fall back to default responses if they fail', async () => {
    expect((await exchange(custom.port, get('/worse'))).status).toBe(500);
    expect((await exchange(custom.port, get('/worse-later'))).status).toBe(500);
    expect(custom.logged.map(({ details }) => details.err!.message)).toEqual(['worse', 'worse, later']);
  });
});
