import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { exchange, get, post, RawClient } from './support/client.js';
import { HeldModule, type ServerWithThreads, startHttpThreads } from './support/http-threads.js';
import { ofName, parseMetrics } from './support/metrics.js';
import { Program } from './support/process.js';
import { expectConserved, startServer, until, untilStarted } from './support/server.js';

/* Each HTTP thread has its own port. Most tests use that of the last one. */
let folder: string;
let file: string;
let httpThreads = 1;
let running: ServerWithThreads | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loopshard-'));
  file = join(folder, 'app.json');
});

afterEach(async () => {
  await running?.server.destroy();
  running = undefined;
  rmSync(folder, { recursive: true });
});

/** What the app is when it is loaded next. */
const become = (state: object) => writeFileSync(file, JSON.stringify(state));
const release = (id: string) => writeFileSync(`${file}.${id}`, '');

async function start(options: ServeOptions = {}, state: object = { version: 1 }): Promise<ServerWithThreads> {
  become(state);
  const threads = { ...options.threads, env: { RELOAD_FILE: file } };
  const started = await startHttpThreads(httpThreads, { shards: 1, ...options, threads }, 'reload-app.js');
  running = { ...started, port: started.ports.at(-1)! };
  return running;
}

async function ask(target: string, http = httpThreads - 1): Promise<Record<string, unknown>> {
  return JSON.parse((await exchange(running!.ports[http], get(target))).body.toString());
}

async function reload(state: object): Promise<void> {
  become(state);
  await running!.server.reload();
}

/** A connection that a handler has taken over. */
async function shout(port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  client.write(get('/shout', 'Connection: Upgrade', 'Upgrade: shout'));
  await until(() => client.pending.includes('\r\n\r\n'), 'the response');
  expect(client.pending.toString()).toMatch(/^HTTP\/1.1 101 /);
  client.skip(client.pending.length);
  return client;
}

const retired = () => until(() => running!.server.stats().retiring === 0, 'the end of the old shards');

describe.each([1, 2])('HTTP threads: %i', (count) => {
  beforeEach(() => {
    httpThreads = count;
  });

  test('new requests run the new code, on the same connection too, and the old shards end', async () => {
    const { port, server } = await start({ shards: 2 });
    const client = await RawClient.open(port);
    const next = async () => {
      client.write(get('/nonce/x'));
      return JSON.parse((await client.response()).body.toString()).version;
    };
    expect(await next()).toBe(1);
    const changes: unknown[] = [];
    server.on('reload', (change) => changes.push(change));
    await reload({ version: 2, routes: ['/added'] });
    expect(await next()).toBe(2);
    for (let http = 0; http < count; http++) expect(await ask('/added', http)).toEqual({ version: 2, path: '/added' });
    expect(changes).toEqual([{ revision: 1, routes: server.stats().routeCount }]);
    expect(server.stats().revision).toBe(1);
    await retired();
    await reload({ version: 3 });
    expect(await next()).toBe(3);
    expect((await exchange(port, get('/added'))).status).toBe(404);
    await retired();
    await expectConserved(running!);
    client.destroy();
  });

  test('a request that was sent often before gets the response of the new code', async () => {
    const { port } = await start({}, { version: 1, webdav: true });
    const client = await RawClient.open(port);
    const answersTo = async (request: string) => {
      const answers = new Set<string>();
      for (let i = 0; i < 50; i++) {
        client.write(request);
        const { status, body } = await client.response();
        answers.add(`${status} ${status === 200 ? body : ''}`);
      }
      return [...answers];
    };
    const search = 'PROPFIND /files/a HTTP/1.1\r\nHost: localhost\r\nDepth: 1\r\n\r\n';
    expect(await answersTo(search)).toEqual(['200 {"version":1,"method":"PROPFIND"}']);
    expect(await answersTo(get('/nonce/x'))).toEqual(['200 {"version":1,"nonce":"x"}']);
    await reload({ version: 2, webdav: true });
    expect(await answersTo(search)).toEqual(['200 {"version":2,"method":"PROPFIND"}']);
    // Without these routes, the method is unknown.
    await reload({ version: 3 });
    expect(await answersTo(get('/nonce/x'))).toEqual(['200 {"version":3,"nonce":"x"}']);
    client.write(search);
    expect((await client.response()).status).toBe(501);
    client.destroy();
  });

  test('under load no request fails, and no client sees an older version after a newer one', async () => {
    const { ports, server } = await start({ shards: 2 });
    let isOver = false;
    let responses = 0;
    const versions = new Set<number>();
    const clients = Array.from({ length: 16 }, async (_, number) => {
      const client = await RawClient.open(ports[number % ports.length]);
      let latest = 0;
      for (let i = 0; !isOver; i++) {
        const nonces = [0, 1, 2, 3].map((one) => `${number}-${i}-${one}`);
        client.write(nonces.map((nonce) => get(`/nonce/${nonce}`)).join(''));
        for (const nonce of nonces) {
          const { status, body } = await client.response();
          const { version, nonce: echoed } = JSON.parse(body.toString());
          expect([status, echoed]).toEqual([200, nonce]);
          versions.add(version);
          latest = Math.max(latest, version);
          responses++;
        }
        // Pipelined requests run side by side, but the next round comes after this one.
        client.write(get('/nonce/last'));
        const { version } = JSON.parse((await client.response()).body.toString());
        expect(version).toBeGreaterThanOrEqual(latest);
      }
      client.destroy();
    });
    for (let version = 2; version <= 6; version++) {
      const before = responses;
      await until(() => responses > before + 200, 'more requests');
      await reload({ version, routes: version % 2 === 0 ? ['/a', '/b', '/c'] : [] });
    }
    const before = responses;
    await until(() => responses > before + 200, 'more requests');
    isOver = true;
    await Promise.all(clients);
    expect([...versions].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    await retired();
    await expectConserved(running!);
    expect(server.stats().refused).toEqual({});
  });

  describe('requests that were admitted before a reload', () => {
    test('are finished by the shard that runs them', async () => {
      const { port } = await start();
      const waiting = exchange(port, get('/wait/a'));
      await untilStarted(running!, 1);
      await reload({ version: 2 });
      expect(await ask('/nonce/x')).toEqual({ version: 2, nonce: 'x' });
      release('a');
      expect(JSON.parse((await waiting).body.toString())).toEqual({ version: 1 });
      await retired();
      await expectConserved(running!);
    });

    test('run the code whose routes they were given, even if they have not started', async () => {
      const { port, server } = await start();
      const blocked = exchange(port, get('/block/a'));
      await until(() => server.stats().outstanding === 1, 'the start of the handler');
      const queued = ['x', 'y'].map((nonce) => exchange(port, get(`/nonce/${nonce}`)));
      await until(() => server.stats().outstanding === 3, 'the queued requests');
      await reload({ version: 2, routes: ['/a', '/b'] });
      release('a');
      const bodies = (await Promise.all([blocked, ...queued])).map(({ body }) => JSON.parse(body.toString()));
      expect(bodies).toEqual([{ version: 1 }, { version: 1, nonce: 'x' }, { version: 1, nonce: 'y' }]);
      await retired();
    });

    test('keep the shards whose memory their bodies are read into', async () => {
      const { port, server } = await start();
      const body = Buffer.alloc(200_000, 'x');
      const bytes = post('/length', body);
      const client = await RawClient.open(port);
      await client.send(bytes.subarray(0, 100_000));
      await until(() => server.stats().extents.some(({ free, total }) => free < total), 'the extent of the body');
      await reload({ version: 2 });
      expect((await ask('/nonce/x')).version).toBe(2);
      expect(server.stats().retiring).toBe(1);
      client.write(bytes.subarray(100_000));
      expect(JSON.parse((await client.response()).body.toString())).toEqual({ version: 1, length: 200_000 });
      client.write(bytes);
      expect(JSON.parse((await client.response()).body.toString())).toEqual({ version: 2, length: 200_000 });
      await retired();
      client.destroy();
      await expectConserved(running!);
    });

    test('wait for extents of the new shards if they have none yet', async () => {
      const { port, server } = await start({ memory: { extentBytes: 2 ** 22 } });
      const body = Buffer.alloc(200_000, 'x');
      const bytes = post('/length', body);
      const large = () => server.stats().extents.filter((extent) => extent.bytes > body.length);
      const most = large().reduce((sum, { total }) => sum + total, 0);
      const clients = await Promise.all(Array.from({ length: most + 2 }, () => RawClient.open(port)));
      for (const client of clients) await client.send(bytes.subarray(0, 100_000));
      await until(() => large().some(({ free, total }) => free < total), 'the extent of a body');
      await reload({ version: 2 });
      for (const client of clients) client.write(bytes.subarray(100_000));
      const versions = await Promise.all(
        clients.map(async (client) => JSON.parse((await client.response()).body.toString()).version),
      );
      const old = versions.filter((version) => version === 1).length;
      expect(old).toBeGreaterThan(0);
      expect(old).toBeLessThanOrEqual(most);
      await retired();
      for (const client of clients) client.destroy();
      await expectConserved(running!);
    });

    test('whose responses are streams are told, and end by themselves', async () => {
      const { port } = await start();
      const client = await RawClient.open(port);
      client.write(get('/events'));
      await until(() => client.pending.includes('from 1'), 'the first piece');
      await reload({ version: 2 });
      await until(() => client.pending.includes('0\r\n\r\n'), 'the last piece');
      expect(client.pending.toString()).toContain('told to end');
      client.destroy();
      await retired();
    });

    test('whose responses are streams that do not end are broken off at the end of `timeouts.closeTimeoutMs`', async () => {
      const { port } = await start({ timeouts: { closeTimeoutMs: 500 } });
      const client = await RawClient.open(port);
      client.write(get('/endless'));
      await until(() => client.pending.includes('1-3'), 'some pieces');
      await reload({ version: 2 });
      const { length } = client.pending;
      await until(() => client.pending.length > length + 50, 'pieces of the old code after the reload');
      expect((await ask('/nonce/x')).version).toBe(2);
      await client.closed();
      expect(client.pending.toString()).not.toContain('\r\n0\r\n');
      await retired();
      await expectConserved(running!);
    });

    test('and have taken over their connections keep them until they end', async () => {
      const { port, server } = await start();
      const old = await shout(port);
      await reload({ version: 2 });
      const young = await shout(port);
      for (const [client, version] of [
        [old, 1],
        [young, 2],
        [old, 1],
      ] as const) {
        client.write('hello');
        await until(() => client.pending.includes(`${version} HELLO`), 'the answer');
        client.skip(client.pending.length);
      }
      expect(server.stats().retiring).toBe(1);
      old.destroy();
      await retired();
      young.write('again');
      await until(() => young.pending.includes('2 AGAIN'), 'the answer');
      young.destroy();
      await until(() => server.stats().connections === 0, 'the end of the connection');
      await expectConserved(running!);
    });

    test('and have taken over their connections lose them at the end of `timeouts.closeTimeoutMs`', async () => {
      const { port } = await start({ timeouts: { closeTimeoutMs: 500 } });
      const client = await shout(port);
      await reload({ version: 2 });
      client.write('hello');
      await until(() => client.pending.includes('1 HELLO'), 'the answer');
      await client.closed();
      await retired();
      await expectConserved(running!);
    });

    test('get 502 if they take longer than `timeouts.closeTimeoutMs`', async () => {
      const { port, logged } = await start({ timeouts: { closeTimeoutMs: 400 } });
      const never = exchange(port, get('/never'));
      await untilStarted(running!, 1);
      await reload({ version: 2 });
      expect((await never).status).toBe(502);
      expect(logged.map(({ message }) => message)).toContain(
        'the shards before the reload have not finished their requests within 400 ms; they are ended',
      );
      await retired();
      expect((await ask('/nonce/x')).version).toBe(2);
      await expectConserved(running!);
    });

    test('get 503 then if they have not started', async () => {
      const { port, server } = await start({ timeouts: { closeTimeoutMs: 400 }, scheduling: { permits: 1 } });
      const never = exchange(port, get('/never'));
      await untilStarted(running!, 1);
      const queued = exchange(port, get('/nonce/x'));
      await until(() => server.stats().outstanding === 2, 'the queued request');
      await reload({ version: 2 });
      expect((await Promise.all([never, queued])).map(({ status }) => status)).toEqual([502, 503]);
      await retired();
      await expectConserved(running!);
    });

    test('get 503 if they wait for a thread that a reload makes unnecessary', async () => {
      const { port, server } = await start({ recovery: { maxRestarts: 100 } });
      // The delay before the next thread doubles each time, until it is longer than a reload.
      for (let i = 0; i < 9; i++) {
        await until(() => server.stats().shards[0].state === 'ready', 'the next thread');
        expect((await exchange(port, get('/exit'))).status).toBe(502);
      }
      const waiting = exchange(port, get('/nonce/x'));
      await until(() => server.stats().outstanding === 1, 'the waiting request');
      await reload({ version: 2 });
      expect((await waiting).status).toBe(503);
      await retired();
      await expectConserved(running!);
    });

    test('get 502 even if their shard cannot be ended then', async () => {
      const { port, server, logged } = await start({ timeouts: { closeTimeoutMs: 400 } });
      const native = exchange(port, get('/native/a'));
      await untilStarted(running!, 1);
      await reload({ version: 2 });
      const isLeft = () => logged.some(({ message }) => message.includes('native code that cannot be stopped'));
      await until(isLeft, 'the report of the shard that does not end');
      expect((await native).status).toBe(502);
      expect(server.stats().retiring).toBe(1);
      release('a');
      await retired();
      expect((await ask('/nonce/x')).version).toBe(2);
      await expectConserved(running!);
    });

    test('a body that is not complete then closes its connection', async () => {
      const { port, server } = await start({ timeouts: { closeTimeoutMs: 400 } });
      const client = await RawClient.open(port);
      await client.send(post('/length', Buffer.alloc(200_000)).subarray(0, 100_000));
      await until(() => server.stats().extents.some(({ free, total }) => free < total), 'the extent of the body');
      await reload({ version: 2 });
      await client.closed();
      expect(client.pending).toHaveLength(0);
      await retired();
      await expectConserved(running!);
    });

    test('get 502 or 503 if their shard ends, which is not replaced', async () => {
      const { port, server, logged } = await start();
      const blocked = exchange(port, get('/block/a'));
      await until(() => server.stats().outstanding === 1, 'the start of the handler');
      const queued = [exchange(port, get('/exit')), exchange(port, get('/nonce/x'))];
      await until(() => server.stats().outstanding === 3, 'the queued requests');
      await reload({ version: 2 });
      release('a');
      const statuses = (await Promise.all([blocked, ...queued])).map(({ status }) => status);
      expect(statuses).toEqual([200, 502, 503]);
      await retired();
      expect(logged.filter(({ level }) => level === 'error')).toHaveLength(1);
      expect((await ask('/nonce/x')).version).toBe(2);
    });
  });

  describe('a module that does not load', () => {
    test('leaves the old code serving, and says why', async () => {
      const { server } = await start();
      become({ fails: 'no database' });
      await expect(server.reload()).rejects.toMatchObject({
        code: 'MODULE_FAILED',
        message: expect.stringContaining('no database'),
      });
      expect(await ask('/nonce/x')).toEqual({ version: 1, nonce: 'x' });
      expect(server.stats()).toMatchObject({ revision: 0, retiring: 0, state: 'ready' });
      await reload({ version: 2 });
      expect((await ask('/nonce/x')).version).toBe(2);
    });

    test('because of a route that the HTTP threads reject leaves the old code serving on each of them', async () => {
      const { server } = await start({ health: true });
      become({ version: 2, routes: ['/x/:a', '/livez'] });
      await expect(server.reload()).rejects.toMatchObject({
        code: 'ROUTE_DUPLICATE',
        message: expect.stringContaining('/livez of the option `health` is also a route of the app'),
      });
      for (let http = 0; http < count; http++) expect((await ask('/nonce/x', http)).version).toBe(1);
      await retired();
      await expectConserved(running!);
      await reload({ version: 2, routes: ['/x/:a'] });
      for (let http = 0; http < count; http++) expect((await ask('/x/1', http)).version).toBe(2);
    });
  });

  test('figures and request ids continue', async () => {
    const { server } = await start();
    const ids = async () => (await ask('/id')).id;
    const before = [await ids(), await ids()];
    await reload({ version: 2 });
    const after = [await ids(), await ids()];
    expect(new Set([...before, ...after]).size).toBe(4);
    await retired();
    expect(server.stats().lostWakeUps).toBe(0);
  });

  test('rejections are counted over all reloads', async () => {
    const { port, server } = await start({ timeouts: { handlerTimeoutMs: 50 } });
    const late = async () => expect((await exchange(port, get('/never'))).status).toBe(504);
    await late();
    await reload({ version: 2 });
    await late();
    expect(server.stats().refused).toEqual({ HANDLER_TIMEOUT: 2 });
  });

  test('responses of the old code that clients read later are counted', async () => {
    const { port, server } = await start();
    const client = await RawClient.open(port);
    client.socket.pause();
    const large = 12;
    const asked = 5;
    client.write(get('/large').repeat(large) + get('/nonce/x'));
    await until(() => server.stats().shards[0].requests === large + 1, 'the handlers');
    await until(() => server.stats().outstanding === 0, 'the responses');
    let isEnded = false;
    server.on('shard', ({ revision, state }) => {
      isEnded ||= revision === 0 && state === 'ended';
    });
    await reload({ version: 2 });
    await until(() => isEnded, 'the end of the old shard');
    for (let i = 0; i < asked; i++) expect((await ask('/nonce/x')).version).toBe(2);
    expect(server.stats().retiring).toBe(1);
    client.socket.resume();
    for (let i = 0; i < large; i++) expect((await client.response()).body).toHaveLength(900_000);
    expect(JSON.parse((await client.response()).body.toString()).version).toBe(1);
    await retired();
    const counted = ofName(parseMetrics(await server.metrics()), 'loopshard_requests_total');
    expect(counted).toEqual({
      '{route="GET /large",method="GET",status="200"}': large,
      '{route="GET /nonce/:nonce",method="GET",status="200"}': asked + 1,
    });
    client.destroy();
  });

  test('`httpModule` is not loaded again, and its connections stay', async () => {
    const module = join(folder, 'http-module.mjs');
    const offer = get('/', 'Connection: Upgrade', 'Upgrade: shout');
    const write = (version: number) => {
      writeFileSync(
        module,
        `export const onUpgrade = (_request, socket) => {
      socket.on('data', (chunk) => socket.write('${version} ' + chunk));
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\nconnection: upgrade\\r\\nupgrade: shout\\r\\n\\r\\n');
    };
    export const upgradeOptions = { protocols: ['shout'] };`,
      );
    };
    write(1);
    const { ports } = await start({ httpModule: module });
    const open = async (port: number) => {
      const client = await RawClient.open(port);
      client.write(offer);
      await until(() => client.pending.includes('\r\n\r\n'), 'the response');
      return client;
    };
    const before = await Promise.all(ports.map(open));
    write(2);
    await reload({ version: 2 });
    await retired();
    for (const client of [...before, ...(await Promise.all(ports.map(open)))]) {
      client.write('hello');
      await until(() => client.pending.includes('1 hello'), 'the answer');
      client.destroy();
    }
  });

  test('requests with the same key run on the same new shard, whichever HTTP thread receives them', async () => {
    await start({ shards: 3 });
    await reload({ version: 2 });
    const threads = new Set<unknown>();
    for (let key = 0; key < 12; key++) {
      const answers = await Promise.all([0, 0, count - 1].map((http) => ask(`/key/${key}`, http)));
      expect(new Set(answers.map(({ version, threadId }) => `${version} ${threadId}`)).size).toBe(1);
      expect(answers[0].version).toBe(2);
      threads.add(answers[0].threadId);
    }
    expect(threads.size).toBe(3);
  });

  test('new shards are restarted and replaced like the first ones', async () => {
    const { port, server } = await start();
    const versions = async () => {
      const all = Array.from({ length: count }, async (_, http) => (await ask('/nonce/x', http)).version);
      return new Set(await Promise.all(all));
    };
    await reload({ version: 2 });
    expect((await exchange(port, get('/exit'))).status).toBe(502);
    await until(() => server.stats().shards[0].state === 'ready', 'the next thread');
    expect(await versions()).toEqual(new Set([2]));
    expect(await server.restartShard(0)).toBe(1);
    expect(await versions()).toEqual(new Set([2]));
    await reload({ version: 3 });
    expect(await versions()).toEqual(new Set([3]));
    await retired();
    await expectConserved(running!);
  });

  test('permits set by `setPermits` are those of the new shards too', async () => {
    const { server } = await start();
    server.setPermits(7);
    server.setPermits(3, { route: 'GET /limited/:id' });
    await reload({ version: 2, limited: 5 });
    const { shards, routes } = server.stats();
    expect(shards.map(({ permits }) => permits.limit)).toEqual([7]);
    expect(routes).toMatchObject([{ route: 'GET /limited/:id', permits: { available: 3, limit: 3 } }]);
    server.setPermits(9, { shard: 0 });
    expect(server.stats().shards[0].permits.limit).toBe(9);
  });

  test('the limit of a route is that of the new code, and waiting requests of the old code keep theirs', async () => {
    const { ports, server } = await start();
    const ofBoth = (ids: string[]) => ids.map((id, i) => exchange(ports[i % count], get(`/limited/${id}`)));
    const old = ofBoth(['a', 'b']);
    await until(() => server.stats().routes[0].waiting === 1, 'a request that waits');
    await reload({ version: 2, limited: 2 });
    const young = ofBoth(['c', 'd']);
    await until(() => server.stats().routes[0].permits.available === 0, 'two handlers of the new code');
    for (const id of ['a', 'b', 'c', 'd']) release(id);
    const bodies = (await Promise.all([...old, ...young])).map(({ body }) => JSON.parse(body.toString()).version);
    expect(bodies).toEqual([1, 1, 2, 2]);
    await retired();
    await expectConserved(running!);
  });

  test('a reload that is requested during another one follows it, once', async () => {
    const { server } = await start();
    become({ version: 2, slow: 200 });
    const first = server.reload();
    const [second, third] = [server.reload(), server.reload()];
    expect(third).toBe(second);
    await first;
    become({ version: 3 });
    await second;
    expect(server.stats().revision).toBe(2);
    expect((await ask('/nonce/x')).version).toBe(3);
  });

  test('a reload that is requested between two others joins the second one', async () => {
    const { server } = await start();
    const first = server.reload();
    const second = server.reload();
    const third = first.then(() => server.reload());
    await Promise.all([second, third]);
    expect(server.stats().revision).toBe(2);
  });

  test('closing the server ends a reload, and the shards of an earlier one', async () => {
    const { port, server } = await start();
    const waiting = exchange(port, get('/wait/a'));
    await untilStarted(running!, 1);
    await reload({ version: 2 });
    become({ version: 3, slow: 60_000 });
    const reloading = expect(server.reload()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
    const closing = server.close();
    release('a');
    expect((await waiting).status).toBe(200);
    await Promise.all([reloading, closing]);
    await expect(server.reload()).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  });
});

describe('an HTTP thread that ends', () => {
  const httpModule = new URL('./fixtures/http-module.js', import.meta.url);
  let held: HeldModule;

  beforeEach(() => {
    httpThreads = 2;
    held = new HeldModule();
  });

  afterEach(() => held.release());

  /** Has the listener of upgrades end the thread, or block it. */
  const end = async (http: number, how = '/exit') => {
    const client = await RawClient.open(running!.ports[http]);
    client.write(get(how, 'Connection: Upgrade', 'Upgrade: shout'));
    return client.closed();
  };
  const untilBack = (http: number) =>
    until(
      () =>
        ask('/id', http).then(
          () => true,
          () => false,
        ),
      'the thread to listen again',
    );
  const versions = () => Promise.all([0, 1].map(async (http) => (await ask('/nonce/x', http)).version));
  const idOf = async (http: number) => (await ask('/id', http)).id as string;

  test('during a reload is replaced by one that knows both revisions', async () => {
    const { server, ports } = await start({ httpModule });
    const waiting = exchange(ports[1], get('/wait/a'));
    await untilStarted(running!, 1);
    const ids = [await idOf(0), await idOf(0)];
    let isLoading = false;
    server.on('shard', ({ revision, state }) => {
      isLoading ||= revision === 1 && state === 'loading';
    });
    become({ version: 2, slow: 300 });
    const reloaded = server.reload();
    await until(() => isLoading, 'the new shard');
    await end(0);
    await reloaded;
    await untilBack(0);
    expect(await versions()).toEqual([2, 2]);
    ids.push(await idOf(0));
    expect(new Set(ids).size).toBe(3);
    release('a');
    expect(JSON.parse((await waiting).body.toString()).version).toBe(1);
    await retired();
    await expectConserved(running!);
  });

  test('during a reload is not waited for, and its replacement continues the request ids', async () => {
    const { server } = await start({ httpModule: held.url });
    const ids = [await idOf(0), await idOf(0), await idOf(0)];
    held.hold();
    await end(0);
    await until(() => server.stats().httpThreads === 1, 'the end of the thread');
    await reload({ version: 2 });
    expect(server.stats().httpThreads).toBe(1);
    expect((await ask('/nonce/x', 1)).version).toBe(2);
    held.release();
    await untilBack(0);
    await retired();
    expect(await versions()).toEqual([2, 2]);
    ids.push(await idOf(0));
    expect(new Set(ids).size).toBe(4);
    await reload({ version: 3 });
    expect(await versions()).toEqual([3, 3]);
    await expectConserved(running!);
  });

  test('after a reload is replaced by one that waits for the handlers of the old code', async () => {
    const { server, ports } = await start({ httpModule });
    const lost = exchange(ports[0], get('/limited/a')).catch((error) => error);
    await untilStarted(running!, 1);
    const waiting = exchange(ports[1], get('/limited/b'));
    await until(() => server.stats().routes[0].waiting === 1, 'a request that waits');
    await reload({ version: 2 });
    await end(0);
    expect(await lost).toBeInstanceOf(Error);
    await untilBack(0);
    expect(await versions()).toEqual([2, 2]);
    expect(server.stats().retiring).toBe(1);
    release('b');
    release('a');
    expect(JSON.parse((await waiting).body.toString()).version).toBe(1);
    await retired();
    // They were waited for, and not ended when their time was up.
    expect(running!.logged.filter(({ message }) => message.includes('have not finished'))).toEqual([]);
    await expectConserved(running!);
  });

  test('is replaced by one that does not know what did not load', async () => {
    const { server } = await start({ httpModule });
    become({ fails: 'no database' });
    await expect(server.reload()).rejects.toMatchObject({ code: 'MODULE_FAILED' });
    await retired();
    await end(0);
    await untilBack(0);
    expect(await versions()).toEqual([1, 1]);
    await reload({ version: 2 });
    expect(await versions()).toEqual([2, 2]);
    await retired();
    await expectConserved(running!);
  });

  test('because its event loop is blocked does not keep the others from a reload', async () => {
    const { server } = await start({ httpModule, recovery: { stuckAfterMs: 300 } });
    const blocked = end(0, '/spin');
    await until(() => server.stats().httpThreads === 1, 'the thread to spin');
    await reload({ version: 2 });
    expect((await ask('/nonce/x', 1)).version).toBe(2);
    await blocked;
    await untilBack(0);
    expect(await versions()).toEqual([2, 2]);
    await retired();
    await expectConserved(running!);
  });
});

test('an app with an invalid route leaves the old code serving', async () => {
  become({ version: 1 });
  const { server, port } = await startServer({ threads: { env: { RELOAD_FILE: file } } }, 'reload-app.js');
  become({ version: 2, routes: ['/x', '/x'] });
  await expect(server.reload()).rejects.toMatchObject({ code: 'ROUTE_DUPLICATE' });
  expect(JSON.parse((await exchange(port, get('/nonce/x'))).body.toString()).version).toBe(1);
  await server.close();
});

test('without shards the server cannot reload', async () => {
  process.env.RELOAD_FILE = file;
  become({ version: 1 });
  const { server, port } = await startServer({ shards: 0 }, 'reload-app.js');
  await expect(server.reload()).rejects.toMatchObject({
    code: 'RELOAD_UNSUPPORTED',
    message: expect.stringMatching(/`shards: 0`/),
  });
  expect(JSON.parse((await exchange(port, get('/nonce/x'))).body.toString()).version).toBe(1);
  await server.close();
});

(process.platform === 'win32' ? test.skip : test)('SIGHUP reloads the app of the command line', async () => {
  become({ version: 1 });
  const args = ['build/dist/cli.js', 'serve', 'test/fixtures/reload-app.js', '--port', '0', '--shards', '1'];
  const program = new Program(process.execPath, args, { env: { ...process.env, RELOAD_FILE: file } });
  const port = Number((await program.printed(/listens on http:\/\/127\.0\.0\.1:(\d+)/))[1]);
  const version = async () => JSON.parse((await exchange(port, get('/nonce/x'))).body.toString()).version;
  expect(await version()).toBe(1);
  become({ version: 2, routes: ['/added'] });
  program.child.kill('SIGHUP');
  await program.printed(/SIGHUP: reloaded the app; routes: \d+/);
  expect(await version()).toBe(2);
  become({ fails: 'no database' });
  program.child.kill('SIGHUP');
  await until(() => program.stderr.includes('continues with what it had loaded before'), 'the report');
  expect(program.stderr).toContain('no database');
  expect(await version()).toBe(2);
  program.child.kill('SIGTERM');
  expect(await program.exit()).toBe(0);
});
