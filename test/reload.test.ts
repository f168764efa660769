import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServeOptions } from 'loopshard';
import { canReusePort } from '../build/src/options/http-threads.js';
import { exchange, get, post, RawClient } from './support/client.js';
import { Program } from './support/process.js';
import {
  expectConserved,
  ONE_HTTP_THREAD,
  startServer,
  type TestServer,
  until,
  untilStarted,
} from './support/server.js';

let folder: string;
let file: string;
let running: TestServer | undefined;

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

async function start(options: ServeOptions = {}, state: object = { version: 1 }): Promise<TestServer> {
  become(state);
  const threads = { ...options.threads, env: { RELOAD_FILE: file } };
  running = await startServer({ ...ONE_HTTP_THREAD, shards: 1, ...options, threads }, 'reload-app.js');
  return running;
}

async function ask(target: string): Promise<Record<string, unknown>> {
  return JSON.parse((await exchange(running!.port, get(target))).body.toString());
}

async function reload(state: object): Promise<void> {
  become(state);
  await running!.server.reload();
}

const retired = () => until(() => running!.server.stats().retiring === 0, 'the end of the old shards');

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
  expect(await ask('/added')).toEqual({ version: 2, path: '/added' });
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

test('under load no request fails, and no client sees an older version after a newer one', async () => {
  const { port, server } = await start({ shards: 2 });
  let isOver = false;
  let count = 0;
  const versions = new Set<number>();
  const clients = Array.from({ length: 16 }, async (_, number) => {
    const client = await RawClient.open(port);
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
        count++;
      }
      // Pipelined requests run side by side, but the next round comes after this one.
      client.write(get('/nonce/last'));
      const { version } = JSON.parse((await client.response()).body.toString());
      expect(version).toBeGreaterThanOrEqual(latest);
    }
    client.destroy();
  });
  for (let version = 2; version <= 6; version++) {
    const before = count;
    await until(() => count > before + 200, 'more requests');
    await reload({ version, routes: version % 2 === 0 ? ['/a', '/b', '/c'] : [] });
  }
  const before = count;
  await until(() => count > before + 200, 'more requests');
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
    for (let i = 0; i < 8; i++) {
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

  test('get 502 later if their shard cannot be ended then', async () => {
    const { port, server, logged } = await start({ timeouts: { closeTimeoutMs: 400 } });
    const native = exchange(port, get('/native/a'));
    await untilStarted(running!, 1);
    await reload({ version: 2 });
    const isLeft = () => logged.some(({ message }) => message.includes('native code that cannot be stopped'));
    await until(isLeft, 'the report of the shard that does not end');
    expect(server.stats().retiring).toBe(1);
    release('a');
    expect((await native).status).toBe(502);
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

  test('because of an invalid route leaves the old code serving', async () => {
    const { server } = await start();
    become({ version: 2, routes: ['/x', '/x'] });
    await expect(server.reload()).rejects.toMatchObject({ code: 'ROUTE_DUPLICATE' });
    expect((await ask('/nonce/x')).version).toBe(1);
    await expectConserved(running!);
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
  const { port, server } = await start();
  const old = ['a', 'b'].map((id) => exchange(port, get(`/limited/${id}`)));
  await until(() => server.stats().routes[0].waiting === 1, 'a request that waits');
  await reload({ version: 2, limited: 2 });
  const young = ['c', 'd'].map((id) => exchange(port, get(`/limited/${id}`)));
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

test.each<[string, ServeOptions, RegExp]>([
  ['without shards', { shards: 0 }, /`shards: 0`/],
  ...(canReusePort() ? [['with several HTTP threads', { httpThreads: 2 }, /2 HTTP threads/] as const] : []),
] as [string, ServeOptions, RegExp][])('%s the server cannot reload', async (_name, options, sentence) => {
  process.env.RELOAD_FILE = file;
  await start(options);
  await expect(running!.server.reload()).rejects.toMatchObject({
    code: 'RELOAD_UNSUPPORTED',
    message: expect.stringMatching(sentence),
  });
  expect((await ask('/nonce/x')).version).toBe(1);
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
