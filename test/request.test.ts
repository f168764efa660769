import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { inspect } from 'node:util';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createApp, type ServeOptions, type ShardRequest } from 'loopshard';
import { Apps } from './support/apps.js';
import { exchange, get, RawClient } from './support/client.js';
import { startServer, type TestServer, until } from './support/server.js';

const apps = new Apps();
const servers: TestServer[] = [];
afterAll(async () => {
  await apps.close();
  await Promise.all(servers.map(({ server }) => server.close()));
});

async function start(options: ServeOptions = {}): Promise<TestServer> {
  const running = await startServer({ shards: 1, ...options }, 'requests.js');
  servers.push(running);
  return running;
}

describe('req', () => {
  test('has only public members', async () => {
    const app = createApp().get('/x', (req) => {
      void [req.params, req.query, req.headers, req.cookies, req.ip, req.signal];
      return {
        keys: Object.keys(req),
        ownKeys: Reflect.ownKeys(req).length,
        json: JSON.stringify(req),
        shown: inspect(req, { depth: 9, showHidden: true }),
        names: Object.getOwnPropertyNames(Object.getPrototypeOf(req)).sort(),
      };
    });
    const { ask } = await apps.run(app);
    const { keys, ownKeys, json, shown, names } = (await ask('/x?a=1')).json<Record<string, unknown>>();
    expect([keys, ownKeys, json]).toEqual([[], 0, '{}']);
    expect(shown).toMatch(/^\{ id: '[^']+', method: 'GET', target: '\/x\?a=1' \}$/);
    expect(names).toEqual(
      [
        ...['body', 'bytes', 'constructor', 'cookies', 'header', 'headers', 'host', 'httpVersion', 'id', 'ip', 'ips'],
        ...['json', 'method', 'onAbort', 'params', 'path', 'protocol', 'query', 'rawHeaders', 'remoteAddress'],
        ...['remotePort', 'signal', 'stream', 'target', 'text'],
      ].sort(),
    );
  });

  test('can be inspected after its request is finished', async () => {
    let kept: ShardRequest | undefined;
    const app = createApp().get('/', (req) => {
      kept = req;
    });
    const { ask } = await apps.run(app);
    await ask('/');
    expect(inspect(kept)).toBe('{ isFinished: true }');
    expect(() => kept!.headers).toThrow(expect.objectContaining({ code: 'REQUEST_FINISHED' }));
  });

  test('computes params, query, headers and cookies once', async () => {
    const app = createApp().get('/:id', (req) => [
      ...(['params', 'query', 'headers', 'cookies', 'ips'] as const).map((name) => Object.is(req[name], req[name])),
    ]);
    const { ask } = await apps.run(app);
    expect((await ask('/7?a=1')).json()).toEqual([true, true, true, true, true]);
  });

  test('keeps properties that middleware has added', async () => {
    const app = createApp()
      .use((req, _res, next) => {
        Object.assign(req, { user: { name: 'Ada' } });
        return next();
      })
      .get('/', (req) => (req as ShardRequest & { user: object }).user);
    const { ask } = await apps.run(app);
    expect((await ask('/')).json()).toEqual({ name: 'Ada' });
  });

  test('is safe against names such as __proto__', async () => {
    const app = createApp().get('/', (req) => {
      const parts = [req.query, req.headers, req.cookies] as Record<string, unknown>[];
      return {
        inherited: parts.map((part) => [part.toString, part.hasOwnProperty].filter((one) => one !== undefined).length),
        values: parts.map((part) => ['__proto__', 'constructor'].map((name) => part[name])),
        polluted: ({} as { polluted?: unknown }).polluted ?? null,
      };
    });
    const { ask } = await apps.run(app);
    const headers = { __proto: '1', constructor: 'field', cookie: '__proto__=cookie; constructor=c' };
    const answer = await ask('/?__proto__=query&constructor=q&__proto__[polluted]=1', { headers });
    expect(answer.json()).toEqual({
      inherited: [0, 0, 0],
      values: [
        ['query', 'q'],
        [null, 'field'],
        ['cookie', 'c'],
      ],
      polluted: null,
    });
  });

  test('has headers joined, and as they were sent', async () => {
    const { port } = await start();
    const { body } = await exchange(
      port,
      get('/fields', 'X-Multi: a', 'x-multi: b', '__proto__: p', 'Cookie: a=1', 'Cookie: b=%20x; a=2'),
    );
    expect(JSON.parse(body.toString())).toEqual({
      headers: { host: 'localhost', 'x-multi': 'a, b', ['__proto__']: 'p', cookie: 'a=1; b=%20x; a=2' },
      rawHeaders: [
        ...['Host', 'localhost', 'X-Multi', 'a', 'x-multi', 'b', '__proto__', 'p'],
        ...['Cookie', 'a=1', 'Cookie', 'b=%20x; a=2'],
      ],
      cookies: { a: '1', b: ' x' },
      httpVersion: '1.1',
    });
  });

  test('has the HTTP version of the client', async () => {
    const { port } = await start();
    const old = await exchange(port, 'GET /who HTTP/1.0\r\n\r\n');
    expect(JSON.parse(old.body.toString())).toMatchObject({ httpVersion: '1.0', host: null });
    const withHost = await exchange(port, 'GET /who HTTP/1.0\r\nHost: a.test\r\n\r\n');
    expect(JSON.parse(withHost.body.toString())).toMatchObject({ httpVersion: '1.0', host: 'a.test' });
  });
});

describe('the client', () => {
  const who = async (running: TestServer, ...fields: string[]) =>
    JSON.parse((await exchange(running.port, get('/who', ...fields))).body.toString());

  test('without trustProxy is the peer of the connection, whatever its headers say', async () => {
    const running = await start();
    const client = await RawClient.open(running.port);
    const { localPort } = client.socket;
    client.write(get('/who', 'X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https', 'X-Forwarded-Host: evil.test'));
    const { body } = await client.response();
    client.destroy();
    expect(JSON.parse(body.toString())).toEqual({
      ip: '127.0.0.1',
      ips: ['127.0.0.1'],
      remoteAddress: '127.0.0.1',
      remotePort: localPort,
      protocol: 'http',
      host: 'localhost',
      httpVersion: '1.1',
    });
  });

  test.each<[string, ServeOptions['trustProxy'], string, string, string[]]>([
    [
      'true: the leftmost address of the header',
      true,
      '192.0.2.1, 198.51.100.2',
      '192.0.2.1',
      ['192.0.2.1', '198.51.100.2', '127.0.0.1'],
    ],
    ['1: what the proxy has seen', 1, '6.6.6.6, 198.51.100.2', '198.51.100.2', ['198.51.100.2', '127.0.0.1']],
    [
      '2: the address that the proxy before it has seen',
      2,
      '6.6.6.6, 192.0.2.1, 198.51.100.2',
      '192.0.2.1',
      ['192.0.2.1', '198.51.100.2', '127.0.0.1'],
    ],
    ['loopback', 'loopback', '6.6.6.6, 198.51.100.2', '198.51.100.2', ['198.51.100.2', '127.0.0.1']],
    [
      'a subnet',
      ['loopback', '198.51.100.0/24'],
      '6.6.6.6, 192.0.2.1, 198.51.100.2',
      '192.0.2.1',
      ['192.0.2.1', '198.51.100.2', '127.0.0.1'],
    ],
    [
      'a list as text',
      'loopback, 198.51.100.0/24',
      '192.0.2.1, 198.51.100.2',
      '192.0.2.1',
      ['192.0.2.1', '198.51.100.2', '127.0.0.1'],
    ],
    ['another proxy than the trusted one', '10.0.0.0/8', '192.0.2.1', '127.0.0.1', ['127.0.0.1']],
    ['IPv6', true, '2001:db8::7', '2001:db8::7', ['2001:db8::7', '127.0.0.1']],
    ['false', false, '192.0.2.1', '127.0.0.1', ['127.0.0.1']],
    ['0', 0, '192.0.2.1', '127.0.0.1', ['127.0.0.1']],
  ])('with trustProxy %s', async (_name, trustProxy, forwardedFor, ip, ips) => {
    const running = await start({ trustProxy: trustProxy! });
    const client = await who(running, `X-Forwarded-For: ${forwardedFor}`);
    expect([client.ip, client.ips, client.remoteAddress]).toEqual([ip, ips, '127.0.0.1']);
  });

  test('has the protocol and host that the first trusted proxy has seen', async () => {
    const one = await start({ trustProxy: 1 });
    expect(await who(one, 'X-Forwarded-Proto: https', 'X-Forwarded-Host: shop.test')).toMatchObject({
      protocol: 'https',
      host: 'shop.test',
    });
    // If a proxy appends to the client's value, only its own part counts.
    expect(
      await who(
        one,
        'X-Forwarded-For: 192.0.2.1',
        'X-Forwarded-Proto: https, http',
        'X-Forwarded-Host: evil.test, shop.test',
      ),
    ).toMatchObject({ protocol: 'http', host: 'shop.test' });
    expect(await who(one, 'X-Forwarded-Proto: gopher', 'X-Forwarded-Host: ')).toMatchObject({
      protocol: 'http',
      host: 'localhost',
    });
    const two = await start({ trustProxy: 2 });
    const fields = ['X-Forwarded-For: 6.6.6.6, 192.0.2.1, 198.51.100.2', 'X-Forwarded-Proto: gopher, HTTPS, http'];
    expect(await who(two, ...fields, 'X-Forwarded-Host: evil.test, shop.test, inner.test')).toMatchObject({
      protocol: 'https',
      host: 'shop.test',
    });
  });

  test('on a Unix socket has no address, unless the proxy is trusted', async () => {
    const path = join(tmpdir(), `${randomUUID()}.sock`);
    const running = await start({ path, trustProxy: 1 });
    const ask = async (...fields: string[]) => {
      const client = await RawClient.open(path);
      client.write(get('/who', ...fields));
      const { body } = await client.response();
      client.destroy();
      return JSON.parse(body.toString());
    };
    expect(await ask()).toMatchObject({ ip: null, ips: [], remoteAddress: null, remotePort: null });
    const forwarded = await ask('X-Forwarded-For: 6.6.6.6, 192.0.2.1', 'X-Forwarded-Proto: http, https');
    expect(forwarded).toMatchObject({ ip: '192.0.2.1', ips: ['192.0.2.1'], protocol: 'https' });
    await running.server.close();
  });

  test('over TLS has the protocol https', async () => {
    const pem = (name: string) => readFileSync(new URL(`./fixtures/tls/first-${name}.pem`, import.meta.url));
    const running = await start({ tls: { cert: pem('cert'), key: pem('key') } });
    const socket = connectTls({ port: running.port, host: '127.0.0.1', rejectUnauthorized: false });
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.write(get('/who', 'X-Forwarded-Proto: http'));
    await until(() => received.includes('}'), 'the response');
    socket.destroy();
    expect(JSON.parse(received.slice(received.indexOf('{')))).toMatchObject({ protocol: 'https', ip: '127.0.0.1' });
  });

  test('over IPv6 has an IPv6 address', async () => {
    const running = await start({ host: '::1' });
    const response = await fetch(`http://[::1]:${running.port}/who`);
    expect(await response.json()).toMatchObject({ ip: '::1', host: `[::1]:${running.port}` });
  });

  test.each([['nonsense'], [-1], [1.5], [{}], [['10.0.0.0/8', 7]], [''], [() => true]])(
    'trustProxy cannot be %p',
    async (trustProxy) => {
      await expect(startServer({ trustProxy: trustProxy as never })).rejects.toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining('trustProxy') }),
      );
    },
  );
});

describe('onAbort', () => {
  test('is called once when the client disconnects', async () => {
    const running = await start();
    const client = await RawClient.open(running.port);
    client.write(get('/wait/left'));
    await until(async () => (await events(running)).includes('left waits'), 'the handler');
    client.socket.resetAndDestroy();
    await until(async () => (await events(running)).includes('left aborted'), 'the listener');
    expect((await events(running)).filter((event) => event.startsWith('left'))).toEqual(['left waits', 'left aborted']);
  });

  test('is called when the client ends its half of the connection, with abortOnHalfClose', async () => {
    const running = await start({ abortOnHalfClose: true });
    const client = await RawClient.open(running.port, { allowHalfOpen: true });
    client.write(get('/wait/half'));
    await until(async () => (await events(running)).includes('half waits'), 'the handler');
    client.socket.end();
    await until(async () => (await events(running)).includes('half aborted'), 'the listener');
    expect((await client.response()).status).toBe(204);
    client.destroy();
  });

  test('is called when the handler takes too long', async () => {
    const running = await start();
    expect((await exchange(running.port, get('/slow/late'))).status).toBe(504);
    await until(async () => (await events(running)).includes('late aborted'), 'the listener');
  });

  test('is called in a microtask if the request is already aborted', async () => {
    const running = await start();
    const client = await RawClient.open(running.port);
    client.write(get('/twice/again'));
    await until(async () => (await events(running)).includes('again waits'), 'the handler');
    client.socket.resetAndDestroy();
    await until(async () => (await events(running)).includes('again aborted once more'), 'the second listener');
  });

  test('is not called for a successful request', async () => {
    const running = await start();
    await exchange(running.port, get('/fine/well'));
    await exchange(running.port, get('/fine/well'));
    expect((await events(running)).filter((event) => event.startsWith('well'))).toEqual(['well done', 'well done']);
  });

  test('that throws is treated like any other uncaught exception', async () => {
    const running = await start({ recovery: { onUncaught: 'continue' } });
    const client = await RawClient.open(running.port);
    client.write(get('/throws'));
    await until(async () => (await events(running)).includes('throws waits'), 'the handler');
    client.socket.resetAndDestroy();
    await until(() => running.logged.some(({ details }) => details.err?.message === 'listener'), 'the log line');
    expect((await exchange(running.port, get('/who'))).status).toBe(200);
  });

  test('rejects anything but a function', async () => {
    const { ask, logged } = await apps.run(createApp().get('/', (req) => req.onAbort('x' as never)));
    expect((await ask('/')).statusCode).toBe(500);
    expect(logged[0].details.err!.message).toBe("`req.onAbort()` expects a function, got 'x'.");
  });
});

const events = async ({ port }: TestServer): Promise<string[]> =>
  JSON.parse((await exchange(port, get('/events'))).body.toString());
