import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { AdminEvents, askAdmin, openAdmin, postAdmin } from './support/admin.js';
import { exchange, get, RawClient } from './support/client.js';
import { startHttpThreads } from './support/http-threads.js';
import { parseMetrics } from './support/metrics.js';
import { loopshard } from './support/process.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';
import { Stage } from './support/stage.js';

const ADMIN = { admin: { port: 0 } };
const TOKEN = 'a-token-of-some-length';
let running: TestServer | undefined;
let stage: Stage;

async function start(options: ServeOptions = {}, fixture = 'scheduling-app.js'): Promise<TestServer> {
  stage = new Stage();
  running = await startServer({ shards: 1, ...ONE_HTTP_THREAD, ...ADMIN, ...options }, fixture);
  return running;
}

afterEach(async () => {
  stage?.end();
  if (running === undefined) return;
  await expectConserved(running);
  await running.server.close();
  running = undefined;
});

describe('options', () => {
  test('there is no admin listener by default', async () => {
    running = await startServer({ shards: 1 }, 'scheduling-app.js');
    const { server } = running;
    expect(server.adminAddress()).toBeUndefined();
  });

  test.each([
    [{ port: 70_000 }, 'Option `admin.port` must be an integer from 0 to 65535, got 70000.'],
    [{ port: 0, host: '' }, "Option `admin.host` must be a host name or an IP address, got ''."],
    [
      { port: 0, hosts: '::1' },
      'Unknown option `admin.hosts`. Known options of `admin`: `port`, `host`, `token`, `agentPort`.',
    ],
    [
      { port: 0, host: '0.0.0.0' },
      "Option `admin.host` is '0.0.0.0', which other machines can reach, but there is no token. Set `admin.token` or the environment variable LOOPSHARD_ADMIN_TOKEN, or listen on 127.0.0.1.",
    ],
    [
      { port: 0, token: 'short' },
      'Option `admin.token`, or LOOPSHARD_ADMIN_TOKEN, must have at least 16 letters, digits or characters of `-._~+/`. Generate one: `openssl rand -hex 32`.',
    ],
  ])('%j is rejected at the start', async (admin, message) => {
    await expect(startServer({ admin: admin as never })).rejects.toMatchObject({ code: 'OPTION_INVALID', message });
  });

  test('a port in use is reported', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(startServer({ admin: { port } }, 'scheduling-app.js')).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `Port ${port} of 127.0.0.1 for \`admin\` is in use. Stop what listens there, or choose another port.`,
    });
    other.close();
  });

  test('the token may come from the environment', async () => {
    process.env.LOOPSHARD_ADMIN_TOKEN = TOKEN;
    try {
      await start();
    } finally {
      delete process.env.LOOPSHARD_ADMIN_TOKEN;
    }
    expect((await askAdmin(running!, '/stats')).status).toBe(401);
  });
});

describe('access', () => {
  test('with a token, requests need it, except health checks', async () => {
    const server = await start({ admin: { port: 0, token: TOKEN } });
    const ask = (path: string, authorization?: string) =>
      askAdmin(server, path, { headers: authorization === undefined ? {} : { authorization } });
    for (const wrong of [
      undefined,
      TOKEN,
      `Basic ${TOKEN}`,
      'Bearer',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
    ]) {
      const { status, headers, body } = await ask('/stats', wrong);
      expect([status, headers['www-authenticate'], body.code]).toEqual([401, 'Bearer', 'TOKEN_REQUIRED']);
    }
    expect((await ask('/stats', `Bearer ${TOKEN}`)).status).toBe(200);
    expect((await ask('/stats', `bearer  ${TOKEN} `)).status).toBe(200);
    expect((await ask('/livez')).status).toBe(200);
    expect((await ask('/readyz')).status).toBe(200);
    const reload = await askAdmin(server, '/reload', { method: 'POST' });
    expect([reload.status, server.server.stats().revision]).toEqual([401, 0]);
  });

  test('without a token, the Host field must name this machine, so that no other name can be made to lead here', async () => {
    const server = await start();
    const ask = async (host: string) => (await askAdmin(server, '/stats', { headers: { host } })).status;
    const own = ['localhost', 'localhost:9000', '127.0.0.1', '127.1.2.3:9000', '[::1]:9000', 'LOCALHOST'];
    expect(await Promise.all(own.map(ask))).toEqual(own.map(() => 200));
    const others = ['example.com', 'localhost.example.com:9000', '127.0.0.1.example.com', '10.0.0.1', '128.0.0.1'];
    expect(await Promise.all(others.map(ask))).toEqual(others.map(() => 421));
    // Clients of Node.js send their own name in place of none.
    const client = await RawClient.open(server.server.adminAddress()!.port);
    client.write('GET /stats HTTP/1.1\r\nHost:\r\n\r\n');
    expect((await client.response()).status).toBe(421);
    client.destroy();
  });

  test('pages of other sites cannot change anything', async () => {
    const server = await start();
    const { port } = server.server.adminAddress()!;
    const host = `127.0.0.1:${port}`;
    const change = async (headers: Record<string, string>) => {
      const body = JSON.stringify({ permits: 7 });
      const type = { 'content-type': 'application/json' };
      return (await askAdmin(server, '/permits', { method: 'POST', headers: { ...type, ...headers }, body })).status;
    };
    expect(await change({ origin: 'https://example.com' })).toBe(403);
    expect(await change({ origin: 'null' })).toBe(403);
    expect(await change({ origin: `http://127.0.0.1:${port + 1}` })).toBe(403);
    expect(await change({ 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await change({ 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await change({ 'content-type': 'text/plain' })).toBe(415);
    expect(server.server.stats().shards[0].permits.limit).toBe(512);
    expect(await change({ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(server.server.stats().shards[0].permits.limit).toBe(7);
  });
});

describe.each([1, 2])('with %i HTTP threads', (httpThreads) => {
  const begin = async (options: ServeOptions = {}, fixture?: string) => {
    stage = new Stage();
    const started = await startHttpThreads(httpThreads, { shards: 2, ...ADMIN, ...options }, fixture);
    running = started;
    return started;
  };

  test('it answers while every shard is blocked', async () => {
    const server = await begin({ scheduling: { dispatch: 'round-robin' } }, 'scheduling-app.js');
    const pending = [await stage.send(server, '/hold/a'), await stage.send(server, '/hold/b')];
    await until(() => stage.started.length === 2, 'two handlers that block');
    expect((await askAdmin(server, '/livez')).body).toEqual({ status: 'live' });
    expect((await askAdmin(server, '/readyz')).body).toEqual({ status: 'ready' });
    const metrics = parseMetrics((await askAdmin(server, '/metrics')).body);
    expect(metrics.get('loopshard_shard_outstanding{shard="0",group="default"}')).toBe(1);
    const { body: figures } = await askAdmin(server, '/figures');
    const running = figures.shards.map((shard: { running: { route: string } }) => shard.running.route);
    expect(running).toEqual(['GET /hold/:id', 'GET /hold/:id']);
    expect(figures.shards[0].running.us).toBeGreaterThan(0);
    stage.release('a', 'b');
    for (const { response } of pending) expect((await response).status).toBe(200);
    await until(async () => {
      const { body } = await askAdmin(server, '/figures');
      return body.shards.every((shard: { running?: object }) => shard.running === undefined);
    }, 'the end of both');
  });

  test('/stats is what stats() returns', async () => {
    const server = await begin();
    await exchange(server.port, get('/thread'));
    await until(() => server.server.stats().connections === 0, 'the disconnect');
    // A shard may park between the two.
    await until(async () => {
      const { body } = await askAdmin(server, '/stats');
      return JSON.stringify(body) === JSON.stringify(server.server.stats());
    }, 'the same figures');
  });

  test.each([1, 2])('a restart of one of %i shards loses no request', async (shards) => {
    const server = await begin({ shards }, 'metrics-app.js');
    const clients = await Promise.all([...server.ports, ...server.ports].map((port) => RawClient.open(port)));
    let isOver = false;
    let responses = 0;
    const load = clients.map(async (client) => {
      const statuses = new Set<number>();
      while (!isOver) {
        client.write(get('/turn').repeat(5));
        for (let i = 0; i < 5; i++) statuses.add((await client.response()).status);
        responses += 5;
      }
      return [...statuses];
    });
    for (let round = 0; round < 3; round++) {
      const before = responses;
      await until(() => responses > before + 50, 'some load');
      const numbers = () => server.server.stats().shards.map(({ shard }) => shard);
      const [old] = numbers();
      const { status, body } = await postAdmin(server, `/shards/${old}/restart`);
      expect([status, body]).toEqual([200, { status: 'restarted', shard: expect.any(Number) }]);
      expect(body.shard).not.toBe(old);
      await until(() => !numbers().includes(old) && numbers().includes(body.shard), 'the end of the old one');
    }
    isOver = true;
    for (const statuses of await Promise.all(load)) expect(statuses).toEqual([200]);
    for (const client of clients) client.destroy();
  });

  test('with close() it ends, and its connections too', async () => {
    const server = await begin();
    const events = await AdminEvents.open(server);
    const { port } = server.server.adminAddress()!;
    await server.server.close();
    await until(() => events.isOver, 'the end of the stream');
    expect(events.named('state').map(({ value }) => value)).toEqual(['draining', 'closed']);
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow();
  });
});

test('/readyz says why the server is not ready, also without the option `health`', async () => {
  const server = await start({ timeouts: { drainDelayMs: 60_000 } });
  expect((await askAdmin(server, '/readyz')).status).toBe(200);
  const dying = await stage.send(server, '/die/a');
  const seen: unknown[] = [];
  server.server.on('shard', ({ state }) => {
    if (state === 'loading') void askAdmin(server, '/readyz').then(({ body }) => seen.push(body));
  });
  stage.release('a');
  expect((await dying.response).status).toBe(502);
  await until(() => seen.length === 1, 'a check while the shard starts');
  expect(seen).toEqual([{ status: 'not ready', reason: 'no shards' }]);
  await until(async () => (await askAdmin(server, '/readyz')).status === 200, 'the replacement');
  const closing = server.server.close();
  const { status, body } = await askAdmin(server, '/readyz');
  expect([status, body]).toEqual([503, { status: 'not ready', reason: 'draining' }]);
  await server.server.destroy();
  await closing;
});

test('reload loads new code, and reports why it could not', async () => {
  const server = await start();
  expect((await postAdmin(server, '/reload')).body).toEqual({ status: 'reloaded' });
  expect(server.server.stats().revision).toBe(1);
  running = undefined;
  await server.server.close();
  const several = await startHttpThreads(2, ADMIN);
  running = several;
  expect((await postAdmin(several, '/reload')).body).toEqual({ status: 'reloaded' });
  expect(several.server.stats().revision).toBe(1);
  await several.server.close();
  const local = await start({ shards: 0 });
  const { status, body } = await postAdmin(local, '/reload');
  expect([status, body.code]).toEqual([501, 'RELOAD_UNSUPPORTED']);
});

test('permits can be changed for all shards, a shard, a group and a route', async () => {
  const server = await start({ shards: 2 });
  const limits = () => server.server.stats().shards.map(({ permits }) => permits.limit);
  expect((await postAdmin(server, '/permits', { permits: 9 })).body).toEqual({ status: 'changed' });
  expect(limits()).toEqual([9, 9]);
  await postAdmin(server, '/permits', { permits: 5, shard: 1 });
  expect(limits()).toEqual([9, 5]);
  await postAdmin(server, '/permits', { permits: 4, group: 'default' });
  expect(limits()).toEqual([4, 4]);
  await postAdmin(server, '/permits', { permits: 3, route: 'GET /two/:id' });
  expect(server.server.stats().routes.find(({ route }) => route === 'GET /two/:id')?.permits.limit).toBe(3);
  for (const wrong of [
    {},
    { permits: 0 },
    { permits: 3, shard: 2 },
    { permits: 3, what: 'ever' },
    { permits: 3, shard: 0, group: 'default' },
  ]) {
    const { status, body } = await postAdmin(server, '/permits', wrong);
    expect([status, body.code]).toEqual([400, 'OPTION_INVALID']);
  }
  const invalid = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' };
  expect((await askAdmin(server, '/permits', invalid)).body.code).toBe('BODY_INVALID');
  expect((await askAdmin(server, '/permits', { ...invalid, body: '[1]' })).body.code).toBe('BODY_INVALID');
  expect((await askAdmin(server, '/permits', { ...invalid, body: ' '.repeat(20_000) })).status).toBe(413);
});

test('unknown paths, methods, shards and durations are rejected as JSON with a code', async () => {
  const server = await start();
  const ask = async (path: string, method = 'GET') => {
    const { status, body } = await askAdmin(server, path, { method });
    expect(body.statusCode).toBe(status);
    expect(body.message).toMatch(/^[A-Z`].*\.$/);
    return [status, body.code];
  };
  expect(await ask('/nothing')).toEqual([404, 'NOT_FOUND']);
  expect(await ask('/%zz')).toEqual([404, 'NOT_FOUND']);
  expect(await ask('/reload')).toEqual([405, 'METHOD_NOT_ALLOWED']);
  expect((await askAdmin(server, '/reload')).headers.allow).toBe('POST');
  for (const shard of ['1', '-1', 'x', '0.5', '99999999999999999999']) {
    expect(await ask(`/shards/${shard}/restart`, 'POST')).toEqual([404, 'SHARD_UNKNOWN']);
  }
  for (const seconds of ['0', '-1', 'x', '61', '']) {
    expect(await ask(`/shards/0/cpu-profile?seconds=${seconds}`, 'POST')).toEqual([400, 'SECONDS_INVALID']);
  }
});

test('of two restarts of one shard, one finds it ending', async () => {
  const server = await start();
  const restarts = await Promise.all([postAdmin(server, '/shards/0/restart'), postAdmin(server, '/shards/0/restart')]);
  expect(restarts.map(({ status }) => status).sort()).toEqual([200, 409]);
  expect(restarts.find(({ status }) => status === 409)!.body.code).toBe('NOT_RUNNING');
});

describe('profiles', () => {
  test('a CPU profile shows what blocks a shard, while it does', async () => {
    const server = await start({ shards: 2 }, 'http-threads-app.js');
    const blocked = RawClient.open(server.port).then(async (client) => {
      client.write(get('/block/3000'));
      const { status } = await client.response();
      client.destroy();
      return status;
    });
    await until(async () => {
      const { body } = await askAdmin(server, '/figures');
      return body.shards.some((shard: { running?: object }) => shard.running !== undefined);
    }, 'a handler that blocks');
    const { body: figures } = await askAdmin(server, '/figures');
    const shard = figures.shards.findIndex((one: { running?: object }) => one.running !== undefined);
    const profile = await askAdmin(server, `/shards/${shard}/cpu-profile?seconds=0.5`, { method: 'POST' });
    expect(profile.status).toBe(200);
    expect(profile.headers['content-disposition']).toMatch(/^attachment; filename="shard-\d-[\dTZ-]+\.cpuprofile"$/);
    const names = profile.body.nodes.map(
      (node: { callFrame: { functionName: string } }) => node.callFrame.functionName,
    );
    expect(names).toContain('fibonacci');
    expect(await blocked).toBe(200);
  });

  test('one is recorded at a time, and ends when its client disconnects', async () => {
    const server = await start();
    const leaving = new AbortController();
    const first = openAdmin(server, '/shards/0/cpu-profile?seconds=60', { method: 'POST', signal: leaving.signal });
    first.catch(() => {});
    const ask = () => askAdmin(server, '/shards/0/cpu-profile?seconds=0.05', { method: 'POST' });
    await until(async () => (await ask()).body.code === 'PROFILE_FAILED', 'a refusal');
    leaving.abort();
    await until(async () => (await ask()).status === 200, 'the end of the first one');
  });

  test('a heap snapshot is a download that DevTools can read', async () => {
    const server = await start();
    const { status, headers, body } = await askAdmin(server, '/shards/0/heap-snapshot', { method: 'POST' });
    expect([status, headers['content-disposition']]).toEqual([
      200,
      expect.stringMatching(/^attachment; filename="shard-0-[\dTZ-]+\.heapsnapshot"$/),
    ]);
    expect(body.snapshot.node_count).toBeGreaterThan(10_000);
    expect(body.strings.some((text: string) => text.endsWith('scheduling-app.js'))).toBe(true);
    expect((await exchange(server.port, get('/thread'))).status).toBe(200);
  });

  test('the process survives the end of a shard during its heap snapshot', async () => {
    const program = loopshard(
      'serve',
      'examples/quickstart/app.js',
      '--port',
      '0',
      '--shards',
      '1',
      '--admin-port',
      '0',
    );
    const [, admin] = await program.printed(/admin: (http:\S+);/);
    const taking = fetch(`${admin}/shards/0/heap-snapshot`, { method: 'POST' });
    const restarting = await fetch(`${admin}/shards/0/restart`, { method: 'POST' });
    expect(await restarting.json()).toEqual({ status: 'restarted', shard: 1 });
    // Either the snapshot was complete, or it breaks off.
    const outcome = await taking.then((response) => response.text()).catch(() => 'broken off');
    expect(outcome).toMatch(/^\{"snapshot".*\}$|SHARD_NOT_READY|^broken off$/s);
    expect((await fetch(`${admin}/livez`)).status).toBe(200);
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
  });

  test('a shard in the calling thread can be profiled too', async () => {
    const server = await start({ shards: 0 });
    const profile = await askAdmin(server, '/shards/0/cpu-profile?seconds=0.05', { method: 'POST' });
    expect(profile.body.nodes.length).toBeGreaterThan(1);
    const snapshot = await askAdmin(server, '/shards/0/heap-snapshot', { method: 'POST' });
    expect(snapshot.body.snapshot.node_count).toBeGreaterThan(10_000);
  });
});

describe('events', () => {
  test('figures come at once and every second, and events of the server as they happen', async () => {
    const server = await start();
    const events = await AdminEvents.open(server);
    await until(() => events.named('figures').length === 1, 'the first figures');
    await exchange(server.port, get('/thread'));
    await postAdmin(server, '/shards/0/restart');
    await until(() => events.named('figures').length === 3, 'three figures');
    const states = events.named('shard').map(({ shard, state }) => `${shard} ${state}`);
    expect(states).toEqual(['1 spawning', '1 loading', '1 ready', '0 draining', '0 ended']);
    for (const { at } of events.named('shard')) expect(Math.abs(at - Date.now())).toBeLessThan(60_000);
    const [first, , third] = events.named('figures');
    const count = ({ responses }: { responses: { count: number }[] }) =>
      responses.reduce((sum, one) => sum + one.count, 0);
    expect([count(first), count(third)]).toEqual([0, 1]);
    events.close();
  });

  test('nothing is collected without clients', async () => {
    const server = await start();
    const before = server.server.listenerCount('shard');
    const events = await AdminEvents.open(server);
    await until(() => server.server.listenerCount('shard') === before + 1, 'a listener');
    events.close();
    await until(() => server.server.listenerCount('shard') === before, 'the end of the listener');
  });

  test('HEAD has no events', async () => {
    const { status, headers } = await askAdmin(await start(), '/events', { method: 'HEAD' });
    expect([status, headers['content-type']]).toEqual([200, 'text/event-stream']);
  });

  test('a client that does not read misses events, and is told how many', async () => {
    const server = await start();
    const slow = await RawClient.open(server.server.adminAddress()!.port);
    slow.write(get('/events'));
    await until(() => slow.pending.includes('event: figures'), 'the first figures');
    slow.socket.pause();
    const memory = () => process.memoryUsage().rss;
    const before = memory();
    const text = 'x'.repeat(10_000);
    // 60 MB of events, of which the sockets take a few.
    for (let i = 0; i < 60; i++) {
      for (let j = 0; j < 100; j++) server.server.emit('reload', { revision: i, routes: j, text } as never);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(memory() - before).toBeLessThan(60e6);
    slow.socket.resume();
    await until(() => slow.pending.includes('event: missed'), 'the count of what was missed');
    slow.destroy();
  });
});

test('a client that does not complete the head of its request is disconnected', async () => {
  const server = await start();
  const client = await RawClient.open(server.server.adminAddress()!.port);
  client.write('GET /livez HTTP/1.1\r\n');
  await client.closed();
  expect(client.pending.toString()).toMatch(/^HTTP\/1\.1 408 /);
});

test('without metrics it serves everything else', async () => {
  const server = await start({ metrics: false });
  const { status, body } = await askAdmin(server, '/metrics');
  expect([status, body.code]).toEqual([404, 'METRICS_DISABLED']);
  expect((await askAdmin(server, '/stats')).status).toBe(200);
  const events = await AdminEvents.open(server);
  await postAdmin(server, '/shards/0/restart');
  await until(() => events.named('shard').length === 5, 'events');
  expect(events.named('figures')).toEqual([]);
  events.close();
});
