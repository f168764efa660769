import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { serve } from 'loopshard';
import { canReusePort } from '../build/src/options/http-threads.js';
import { exchange, get, post, RawClient } from './support/client.js';
import { Handlers, HeldModule, type ServerWithThreads, startHttpThreads } from './support/http-threads.js';
import { expectConserved, startServer, until } from './support/server.js';

/*
 * Several HTTP threads in front of the same shards. Most tests give each thread its own port, so that they can choose the thread on every
 * version of Node.js. The whole suite can also run with several threads on one port (LOOPSHARD_TEST_HTTP_THREADS).
 */
const httpModule = new URL('./fixtures/http-module.js', import.meta.url);

let running: ServerWithThreads;
let handlers: Handlers;
const clients: RawClient[] = [];

const start = async (options: ServeOptions = {}, httpThreads = 2) => {
  running = await startHttpThreads(httpThreads, options);
};
const open = async (http: number) => {
  const client = await RawClient.open(running.ports[http]);
  clients.push(client);
  return client;
};
/** Sends a request to an HTTP thread on a new connection, and leaves the response to the caller. */
const send = async (http: number, target: string) => {
  const client = await open(http);
  client.write(get(target));
  return client;
};
const text = async (http: number, target: string) => (await exchange(running.ports[http], get(target))).body.toString();

beforeEach(() => {
  handlers = new Handlers();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  handlers.close();
  await running.server.close();
});

describe('requests', () => {
  test('each thread uses every shard, with request IDs that are unique among threads', async () => {
    await start({ shards: 2 }, 3);
    const ids = new Set<string>();
    for (let i = 0; i < 60; i++) ids.add(await text(i % 3, '/id'));
    expect(ids.size).toBe(60);
    const { httpThreads, shards, slots } = running.server.stats();
    expect([httpThreads, shards.reduce((sum, { requests }) => sum + requests, 0)]).toEqual([3, 60]);
    // 4,096 slots are not divisible by three.
    expect(slots.total).toBe(4_098);
    await expectConserved(running);
  });

  test('large messages, streams and uploads work on each thread', async () => {
    await start();
    for (const http of [0, 1]) {
      const body = Buffer.alloc(700_000, `${http}`);
      const client = await open(http);
      client.write(post('/echo', body));
      expect((await client.response()).body.equals(body)).toBe(true);
      client.write(get('/bytes/3000000'));
      expect((await client.response()).body.length).toBe(3_000_000);
      client.write(post(`/upload/${http}`, body));
      expect((await client.response()).body.toString()).toBe('700000');
      client.write(get(`/ticks/${http}`));
      await until(() => client.pending.toString().split('tick').length > 4, 'some ticks');
      client.destroy();
      await handlers.until(`ended ${http}`);
    }
    await expectConserved(running);
  });

  test('requests with the same key run on the same shard, whichever thread receives them', async () => {
    await start({ shards: 4 });
    const shards = new Set<string>();
    for (let key = 0; key < 20; key++) {
      const answers = await Promise.all([0, 1, 0, 1].map((http) => text(http, `/key/${key}`)));
      expect(new Set(answers).size).toBe(1);
      shards.add(answers[0]);
    }
    expect(shards.size).toBe(4);
  });

  test('a thread avoids shards to which other threads have sent many requests', async () => {
    await start({ shards: 2, scheduling: { steal: false } });
    for (let i = 0; i < 8; i++) await send(0, `/hold/a${i}`);
    for (let i = 0; i < 8; i++) await handlers.until(`started a${i}`);
    const before = running.server.stats().shards.map(({ outstanding }) => outstanding);
    expect(before).toEqual([4, 4]);
    // Keys bind four more requests to one shard. The other thread must take that into account.
    const key = await text(0, '/thread');
    expect(key).not.toBe('');
    for (let i = 0; i < 8; i++) handlers.release(`a${i}`);
    await expectConserved(running);
  });
});

describe('limits', () => {
  test('maxConcurrency applies across all threads, and a permit released by one goes to a request of another', async () => {
    await start();
    const [first, second] = [await send(0, '/limited/a'), await send(0, '/limited/b')];
    await handlers.until('started a');
    await handlers.until('started b');
    const third = await send(1, '/limited/c');
    await until(() => running.server.stats().routes[0].waiting === 1, 'the third request to wait');
    expect(running.server.stats().routes[0].permits).toEqual({ available: 0, limit: 2 });
    expect(handlers.heard).not.toContain('started c');
    handlers.release('a');
    await handlers.until('started c');
    expect((await first.response()).body.toString()).toBe('a');
    handlers.release('b');
    handlers.release('c');
    expect((await third.response()).body.toString()).toBe('c');
    expect((await second.response()).body.toString()).toBe('b');
    await expectConserved(running);
  });

  test('threads share the permits of a route fairly', async () => {
    await start();
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const http = i < 30 ? 0 : 1;
        await text(http, '/turns');
        order.push(http);
      }),
    );
    // If one thread kept them, the other's thirty requests would run after its thirty.
    expect(order.slice(0, 40).filter((http) => http === 0).length).toBeGreaterThan(5);
    expect(order.slice(0, 40).filter((http) => http === 1).length).toBeGreaterThan(5);
    await expectConserved(running);
  });

  test('setPermits changes the limit of a route for all threads', async () => {
    await start();
    for (const name of ['a', 'b', 'c', 'd']) await send(name < 'c' ? 0 : 1, `/limited/${name}`);
    await until(() => running.server.stats().routes[0].waiting === 2, 'two requests to wait');
    running.server.setPermits(4, { route: 'GET /limited/:name' });
    for (const name of ['a', 'b', 'c', 'd']) await handlers.until(`started ${name}`);
    for (const name of ['a', 'b', 'c', 'd']) handlers.release(name);
    await expectConserved(running);
  });

  test('maxQueue counts requests queued by other threads', async () => {
    await start({ shards: 1, scheduling: { permits: 1, batch: 2, maxQueue: 8, steal: false } });
    await send(0, '/hold/a');
    await handlers.until('started a');
    for (let i = 0; i < 8; i++) await send(0, '/id');
    await until(() => running.server.stats().shards[0].queued === 8, 'a full queue');
    expect((await exchange(running.ports[1], get('/id'))).status).toBe(503);
    handlers.release('a');
    await until(() => running.server.stats().shards[0].queued === 0, 'the queue to empty');
    expect((await exchange(running.ports[1], get('/id'))).status).toBe(200);
    await expectConserved(running);
  });

  test('maxConnections counts the connections of all threads', async () => {
    await start({ limits: { maxConnections: 4 } });
    for (const http of [0, 0, 0, 1]) await text(http, '/id');
    await until(() => running.server.stats().connections === 0, 'the end of those connections');
    const kept = [await open(0), await open(0), await open(0), await open(1)];
    for (const client of kept) {
      client.write(get('/id'));
      await client.response();
    }
    const refused = await open(1);
    await refused.closed();
    expect(running.server.stats()).toMatchObject({ connections: 4, connectionsRefused: 1 });
  });

  test('clients of one thread that hold the memory for large bodies are rejected when a request of another one waits for it', async () => {
    await start({ memory: { extentBytes: 16 * 2 ** 20 } });
    const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n';
    const idle = [await open(0), await open(0), await open(0), await open(0)];
    for (const client of idle) client.write(head);
    const largest = () => running.server.stats().extents.at(-1)!;
    await until(() => largest().free < largest().total, 'the idle clients');
    const { status } = await exchange(running.ports[1], post('/echo', Buffer.alloc(1_000_000)));
    expect(status).toBe(200);
    await until(() => idle.some(({ pending }) => pending.toString().startsWith('HTTP/1.1 408')), 'a refusal');
  });

  test('each thread sheds requests when requests of another one are queued for too long', async () => {
    await start({
      shards: 1,
      scheduling: { permits: 1, steal: false, shed: { targetMs: 20, intervalMs: 20 } },
      health: { shedGraceMs: 0 },
    });
    await send(0, '/hold/a');
    await handlers.until('started a');
    for (let i = 0; i < 20; i++) await send(0, '/id');
    for (let i = 0; i < 5; i++) await send(1, '/id');
    const refused = (http: number) => async () => (await exchange(running.ports[http], get('/id'))).status === 503;
    await until(refused(0), 'a refusal of the first thread');
    await until(refused(1), 'a refusal of the second thread');
    expect(running.server.stats().shards[0].shedding).toBe(true);
    for (const http of [0, 1]) expect(await text(http, '/readyz')).toContain('overloaded');
    handlers.release('a');
    await expectConserved(running);
    await until(() => !running.server.stats().shards[0].shedding, 'the end of shedding');
  });
});

describe('a shard that ends', () => {
  test('loses only its started requests, on every thread; the others run elsewhere', async () => {
    await start({ shards: 1, scheduling: { permits: 3 } });
    const started = [await send(0, '/hold/a'), await send(1, '/hold/b')];
    await handlers.until('started a');
    await handlers.until('started b');
    const exit = await send(1, '/exit');
    const waiting = [await send(0, '/id'), await send(1, '/id')];
    for (const client of [...started, exit]) expect((await client.response()).status).toBe(502);
    for (const client of waiting) expect((await client.response()).status).toBe(200);
    await expectConserved(running);
    expect(running.server.stats().shards[0]).toMatchObject({ state: 'ready', restarts: 1 });
  });
});

describe('an HTTP thread that ends', () => {
  let held: HeldModule;

  beforeEach(() => {
    held = new HeldModule();
  });

  afterEach(() => held.release());

  const end = async (http: number, how = '/exit') => {
    const client = await open(http);
    client.write(get(how, 'Connection: Upgrade', 'Upgrade: shout'));
    await client.closed();
  };
  const untilListening = (http: number) =>
    until(
      () =>
        RawClient.open(running.ports[http]).then(
          (client) => {
            client.destroy();
            return true;
          },
          () => false,
        ),
      'the thread to listen again',
    );
  const untilBack = (http: number) =>
    until(async () => {
      try {
        return (await exchange(running.ports[http], get('/id'))).status === 200;
      } catch {
        return false;
      }
    }, 'the thread to listen again');

  test.each(['/exit', '/throw'])('loses only its own connections (%s)', async (how) => {
    await start({ httpModule, shards: 2 });
    const held = await send(0, '/hold/a');
    const ticking = await send(0, '/ticks/t');
    const uploading = await open(0);
    uploading.write('POST /upload/u HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n');
    uploading.write(Buffer.alloc(100_000));
    const other = await send(1, '/hold/b');
    for (const name of ['a', 't', 'u', 'b']) await handlers.until(`started ${name}`);
    await end(0, how);
    for (const client of [held, ticking, uploading]) await client.closed();
    await handlers.until('aborted a');
    await handlers.until('ended t');
    await handlers.until('broken u BODY_INCOMPLETE');
    handlers.release('b');
    expect((await other.response()).body.toString()).toBe('b');
    await untilBack(0);
    handlers.release('a');
    await expectConserved(running);
    const messages = running.logged.map(({ message }) => message);
    expect(messages.filter((message) => message.startsWith('HTTP thread 0 ended'))).toHaveLength(1);
    expect(messages).toContain('HTTP thread 0 is listening again');
  });

  test('releases the route permits of its requests, immediately or when their handlers settle', async () => {
    await start({ httpModule, shards: 1 });
    await send(0, '/limited/a');
    await send(0, '/limited/b');
    await handlers.until('started a');
    await handlers.until('started b');
    // These requests wait for a permit and are never started.
    await send(0, '/limited/c');
    const other = await send(1, '/limited/d');
    await until(() => running.server.stats().routes[0].waiting === 2, 'two requests to wait');
    await end(0);
    await untilBack(0);
    expect(running.server.stats().routes[0]).toMatchObject({ permits: { available: 0, limit: 2 }, waiting: 1 });
    handlers.release('a');
    await handlers.until('started d');
    handlers.release('d');
    expect((await other.response()).body.toString()).toBe('d');
    handlers.release('b');
    await expectConserved(running);
    expect(handlers.heard).not.toContain('started c');
  });

  test('releases the route permits of its streams', async () => {
    await start({ httpModule, shards: 1 });
    const first = await send(0, '/limited-stream/a');
    const kept = await send(1, '/limited-stream/b');
    await until(() => first.pending.includes('begun') && kept.pending.includes('begun'), 'the streams');
    await until(() => running.server.stats().slots.free === running.server.stats().slots.total, 'the slots');
    const limited = () => running.server.stats().routes.find(({ route }) => route.includes('limited-stream'))!;
    expect(limited().permits).toEqual({ available: 0, limit: 2 });
    const waiting = await send(1, '/limited-stream/c');
    await until(() => limited().waiting === 1, 'a request to wait');
    await end(0);
    await until(() => waiting.pending.includes('begun'), 'the stream that waited');
    await untilBack(0);
    for (const client of [kept, waiting]) client.socket.resetAndDestroy();
    await expectConserved(running);
    expect(limited().permits).toEqual({ available: 2, limit: 2 });
  });

  test('releases what its handlers hold when they settle, even before another thread has started', async () => {
    // A second end opens the circuit: it is not replaced for ten seconds.
    await start({ httpModule, shards: 1, recovery: { maxRestarts: 1 } });
    await end(0);
    await untilBack(0);
    await send(0, '/limited/a');
    await send(0, '/limited/b');
    await handlers.until('started a');
    await handlers.until('started b');
    const other = await send(1, '/limited/c');
    await until(() => running.server.stats().routes[0].waiting === 1, 'a request to wait');
    await end(0);
    await until(() => running.server.stats().httpThreads === 1, 'the end of the thread');
    handlers.release('a');
    await handlers.until('started c');
    handlers.release('c');
    handlers.release('b');
    expect((await other.response()).body.toString()).toBe('c');
    expect(running.server.stats().httpThreads).toBe(1);
  });

  test('leaves the deadlines of its requests to its replacement', async () => {
    await start({ httpModule, shards: 1, timeouts: { handlerTimeoutMs: 300 } });
    await send(0, '/limited/a');
    await handlers.until('started a');
    await end(0);
    await untilBack(0);
    await until(() => running.server.stats().routes[0].permits.available === 2, 'the permit');
    await expectConserved(running);
    expect(running.server.stats().shards[0].abandoned).toBe(1);
    handlers.release('a');
  });

  test('gets a replacement that knows readiness, and that handles shards which do not know it yet', async () => {
    await start({ httpModule, shards: 1, health: true, timeouts: { drainDelayMs: 2_000 } });
    // The shard computes while the thread is replaced, and begins a stream of the replacement before it reads any message.
    const blocked = await send(1, '/block/600');
    await end(0);
    await untilListening(0);
    const stream = await send(0, '/ticks/late');
    expect((await blocked.response()).body.toString()).toBe('free');
    await until(() => stream.pending.includes('tick'), 'the stream');
    stream.destroy();
    await handlers.until('ended late');
    const closed = running.server.close();
    await until(async () => (await text(1, '/readyz')).includes('draining'), 'the drain');
    await end(0);
    await untilListening(0);
    expect(await text(0, '/readyz')).toContain('draining');
    await closed;
  });

  test('loses nothing else if a shard ends at the same time', async () => {
    await start({ httpModule, shards: 2 });
    await send(0, '/hold/a');
    await send(0, '/hold/b');
    const other = await send(1, '/hold/c');
    for (const name of ['a', 'b', 'c']) await handlers.until(`started ${name}`);
    await Promise.all([end(0), exchange(running.ports[1], get('/exit'))]);
    await untilBack(0);
    for (const name of ['a', 'b', 'c']) handlers.release(name);
    expect([200, 502]).toContain((await other.response()).status);
    await expectConserved(running);
    await until(() => running.server.stats().shards.every(({ state }) => state === 'ready'), 'every shard');
  });

  test('loses nothing else if a shard ends before the replacement has started', async () => {
    await start({ httpModule: held.url, shards: 1 });
    await send(0, '/hold/a');
    await handlers.until('started a');
    held.hold();
    await end(0);
    await until(() => running.server.stats().httpThreads === 1, 'the end of the thread');
    expect((await exchange(running.ports[1], get('/exit'))).status).toBe(502);
    expect(running.server.stats().httpThreads).toBe(1);
    held.release();
    await untilBack(0);
    await expectConserved(running);
  });

  test('is terminated and replaced if its event loop is blocked while a shard waits for it', async () => {
    await start({ httpModule, shards: 1, recovery: { stuckAfterMs: 300 } });
    const client = await open(0);
    client.write(get('/spin', 'Connection: Upgrade', 'Upgrade: shout'));
    await until(() => running.server.stats().httpThreads === 1, 'the thread to spin');
    expect((await exchange(running.ports[1], get('/exit'))).status).toBe(502);
    await untilBack(0);
    expect(await text(1, '/id')).not.toBe('');
    await expectConserved(running);
  });
});

describe('the end of the server', () => {
  const isRefused = (port: number) =>
    RawClient.open(port).then(
      (client) => {
        client.destroy();
        return false;
      },
      () => true,
    );

  test('every thread drains and finishes its requests in flight', async () => {
    await start();
    const pending = [await send(0, '/hold/a'), await send(1, '/hold/b')];
    await handlers.until('started a');
    await handlers.until('started b');
    const closed = running.server.close();
    for (const port of running.ports) await until(() => isRefused(port), 'the drain');
    handlers.release('a');
    handlers.release('b');
    for (const client of pending) {
      const { status, fields } = await client.response();
      expect([status, fields.find(([name]) => name === 'connection')]).toEqual([200, ['connection', 'close']]);
    }
    await closed;
    expect(running.server.state).toBe('closed');
    for (const port of running.ports) await expect(RawClient.open(port)).rejects.toThrow();
  });

  test('connections that are still open after closeTimeoutMs are dropped on all threads', async () => {
    await start({ timeouts: { closeTimeoutMs: 300 } });
    const pending = [await send(0, '/hold/a'), await send(1, '/hold/b')];
    await handlers.until('started a');
    await handlers.until('started b');
    await running.server.close();
    for (const client of pending) await client.closed();
  });

  test('destroy() ends every thread immediately, and may be called twice', async () => {
    await start();
    const pending = [await send(0, '/hold/a'), await send(1, '/hold/b')];
    await handlers.until('started b');
    await Promise.all([running.server.destroy(), running.server.destroy(), running.server.close()]);
    for (const client of pending) await client.closed();
  });

  test('the final statistics remain available', async () => {
    await start();
    await text(0, '/id');
    await running.server.close();
    const { slots, connections, httpThreads } = running.server.stats();
    expect([slots.free, connections, httpThreads]).toEqual([slots.total, 0, 2]);
  });
});

describe('TLS', () => {
  const pem = (name: string) => readFileSync(new URL(`./fixtures/tls/${name}.pem`, import.meta.url));
  const first = { key: pem('first-key'), cert: pem('first-cert') };
  const second = { key: pem('second-key'), cert: pem('second-cert') };

  /** A connection that has received a response, with the session that the client may resume. */
  const visit = async (http: number, options: ConnectionOptions = {}) => {
    const socket = connect({ port: running.ports[http], host: '127.0.0.1', rejectUnauthorized: false, ...options });
    let session: Buffer | undefined;
    let isResumed: boolean | undefined;
    socket.once('secureConnect', () => {
      isResumed = socket.isSessionReused();
    });
    socket.on('session', (data) => {
      session = data;
    });
    socket.write(get('/id', 'Connection: close'));
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    expect(answer.startsWith('HTTP/1.1 200')).toBe(true);
    return { session: session!, isResumed };
  };

  test('a session of one thread can be resumed on another', async () => {
    await start({ tls: first });
    const { session, isResumed } = await visit(0);
    expect(isResumed).toBe(false);
    expect((await visit(1, { session })).isResumed).toBe(true);
  });

  test('certificates are changed on every thread, including threads that start later', async () => {
    await start({ tls: first, httpModule });
    const certificate = async (http: number) => {
      const socket = connect({ port: running.ports[http], host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const before = await certificate(0);
    running.server.setSecureContext(second);
    for (const http of [0, 1]) await until(async () => (await certificate(http)) !== before, 'the other certificate');
    const after = await certificate(0);
    const socket = connect({ port: running.ports[1], host: '127.0.0.1', rejectUnauthorized: false });
    socket.write(get('/exit', 'Connection: Upgrade', 'Upgrade: shout'));
    socket.resume();
    await once(socket, 'close');
    await until(
      () =>
        certificate(1)
          .catch(() => undefined)
          .then((one) => one === after),
      'the thread to listen again',
    );
    const { session } = await visit(0);
    expect((await visit(1, { session })).isResumed).toBe(true);
  });
});

describe('user code on HTTP threads', () => {
  test('comes from httpModule: priority and onUpgrade', async () => {
    await start({ httpModule });
    for (const http of [0, 1]) {
      const client = await open(http);
      client.write(get('/', 'Connection: Upgrade', 'Upgrade: shout'));
      await until(() => client.pending.includes('101 Switching'), 'the switch');
      client.write('hello');
      await until(() => client.pending.includes('HELLO'), 'a response');
      client.destroy();
    }
  });

  test('cannot be a listener that would have to be passed to several threads', async () => {
    await start();
    expect(() => running.server.onUpgrade(() => {})).toThrow(
      expect.objectContaining({
        code: 'OPTION_INVALID',
        message:
          '`onUpgrade` cannot take a function with 2 HTTP threads. Export `onUpgrade` from a module and set `httpModule` to its path, or set `httpThreads: 1`.',
      }),
    );
  });

  test('is not needed for the access log, which contains the lines of all threads', async () => {
    await start({ accessLog: true });
    for (const http of [0, 1]) await text(http, `/hold-not/${http}`);
    await text(0, '/id');
    await running.server.close();
    const lines = running.logged.filter(({ message }) => message === 'request answered');
    expect(lines.map(({ details: { target, status } }) => `${target} ${status}`).sort()).toEqual([
      '/hold-not/0 404',
      '/hold-not/1 404',
      '/id 200',
    ]);
  });
});

describe('a start', () => {
  test.each([1, 2])(
    'fails with the error of an HTTP thread, whatever its module does afterwards (HTTP threads: %i)',
    async (threads) => {
      await start();
      const failure = async (file: string, options: ServeOptions = {}) => {
        const module = new URL(`./fixtures/http-modules/${file}.js`, import.meta.url);
        const error: Error = await startHttpThreads(threads, { httpModule: module, ...options }).then(
          () => new Error('it has started'),
          (reason) => reason,
        );
        return `${(error as { code?: string }).code} ${error.message}`;
      };
      expect(await failure('empty')).toMatch(/^OPTION_INVALID .* exports nothing that HTTP threads use/);
      expect(await failure('throws')).toMatch(/^MODULE_FAILED Cannot load .*throws\.js: Error: no configuration\n/);
      expect(await failure('hangs', { timeouts: { startTimeoutMs: 1_500 } })).toMatch(
        /^HTTP_THREAD_FAILED HTTP thread \d was not ready within 1500 ms/,
      );
      expect(await failure('text')).toMatch(
        /^OPTION_INVALID Invalid export `onUpgrade` of .* expected a function, got string/,
      );
    },
  );

  test('rejects TLS callbacks without TLS', async () => {
    await start();
    const module = new URL('./fixtures/http-modules/tls.js', import.meta.url);
    await expect(startHttpThreads(2, { httpModule: module })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: 'The `httpModule` exports `tls`, but the option `tls` is not set. Set it, or remove the export.',
    });
    const secure = await startHttpThreads(2, { httpModule: module, tls: {} });
    const socket = connect({ port: secure.ports[1], host: '127.0.0.1', servername: 'x', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.destroy();
    await secure.server.close();
  });
});

describe('one port', () => {
  const shared = canReusePort() ? test : test.skip;

  shared('is shared by all threads, and the kernel spreads connections over them', async () => {
    const server = await startServer({ httpThreads: 4, shards: 1 }, 'http-threads-app.js');
    running = { ...server, ports: [server.port] } as unknown as ServerWithThreads;
    const opened = await Promise.all(Array.from({ length: 64 }, () => open(0)));
    for (const client of opened) client.write(get('/id'));
    for (const client of opened) expect((await client.response()).status).toBe(200);
    expect(server.server.stats()).toMatchObject({ httpThreads: 4, connections: 64 });
    await expectConserved(server);
  });

  test('several threads are rejected if they cannot share it', async () => {
    await start();
    const app = new URL('./fixtures/app.js', import.meta.url);
    const refusal = async (options: ServeOptions) => {
      const error: { code?: string; message?: string } = await serve(app, {
        shards: 1,
        httpThreads: 2,
        ...options,
      }).then(
        () => ({}),
        (reason) => reason,
      );
      return `${error.code} ${error.message}`;
    };
    if (!canReusePort()) {
      expect(await refusal({ port: 0 })).toBe(
        `OPTION_INVALID \`httpThreads\` above 1 needs Linux and Node.js 22.12 or later, where several threads can listen on one port. This is Node.js ${process.version} on ${process.platform}.`,
      );
      return;
    }
    expect(await refusal({ path: '/tmp/never' })).toContain('Set either `path` or `httpThreads`');
    expect(await refusal({ port: 0, scheduling: { priority: () => 'low' } })).toContain(
      '`scheduling.priority` is a function, which cannot be passed',
    );
    expect(await refusal({ port: 0, memory: { slots: 3 } })).toContain(
      'Option `memory.slots` must be at least 4 for 2 HTTP threads, got 3.',
    );
    expect(await refusal({ port: 0, httpModule: './nowhere.js' })).toContain('MODULE_NOT_FOUND');
    expect(await refusal({ port: 0, httpModule: new URL('./fixtures/throws.js', import.meta.url) })).toContain(
      'MODULE_FAILED',
    );
    expect(await refusal({ port: 0, httpModule: new URL('./fixtures/no-app.js', import.meta.url) })).toContain(
      'exports nothing that HTTP threads use',
    );
    expect(await refusal({ port: running.ports[0] })).toContain('PORT_IN_USE');
  });
});
