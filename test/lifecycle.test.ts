import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createApp, type ServeOptions } from 'loopshard';
import { exchange, get, RawClient } from './support/client.js';
import { loopshard } from './support/process.js';
import { ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

let directory: string;
let running: TestServer | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lifecycle-'));
  writeFileSync(file(), '');
});

afterEach(async () => {
  await running?.server.close();
  running = undefined;
  rmSync(directory, { recursive: true });
});

const file = () => join(directory, 'notes');
const notes = () => readFileSync(file(), 'utf8').split('\n').slice(0, -1);
const fixture = (...does: string[]) =>
  `lifecycle.js?${new URLSearchParams([['file', file()], ...does.map((name): [string, string] => [name, ''])])}`;

async function start(options: ServeOptions = {}, ...does: string[]): Promise<TestServer> {
  running = await startServer({ shards: 1, ...options }, fixture(...does));
  return running;
}

const BEGIN = ['start 1 of default 0, index 0', 'started 1', 'start 2'];
const END = ['close 2', 'closed 2', 'close 1 of default 0', 'closed 1'];

describe('onStart', () => {
  test('is called in order and awaited, on each shard, before any request', async () => {
    const { server, port } = await start();
    await exchange(port, get('/'));
    expect(notes()).toEqual([...BEGIN, 'request']);
    await server.close();
  });

  test('gets shard, group and index', async () => {
    await startServer({ groups: { default: 1, cpu: 2 } }, fixture()).then(({ server }) => server.close());
    const begun = notes().filter((note) => note.startsWith('start 1'));
    expect(begun.sort()).toEqual([
      'start 1 of cpu 2, index 0',
      'start 1 of cpu 3, index 1',
      'start 1 of default 0, index 0',
    ]);
  });

  test('fails the start with its error', async () => {
    await expect(start({}, 'fail-start')).rejects.toMatchObject({
      code: 'MODULE_FAILED',
      message: expect.stringMatching(/^A listener of `app\.onStart\(\)` failed: Error: no database\n.*lifecycle\.js:/),
    });
    expect(notes()).toEqual(BEGIN);
  });

  test('fails the start if it does not settle in time', async () => {
    await expect(
      start({ timeouts: { startTimeoutMs: 1_500 }, recovery: { maxRestarts: 0 }, ...ONE_HTTP_THREAD }, 'hang-start'),
    ).rejects.toThrow();
    expect(notes().slice(0, 3)).toEqual(BEGIN);
  });
});

describe('onClose', () => {
  test('is awaited by close() once the requests have settled, in reverse order', async () => {
    const { server, port } = await start();
    const slow = exchange(port, get('/slow'));
    await until(() => notes().includes('slow begins'), 'the request');
    const closed = server.close();
    writeFileSync(`${file()}.go`, '');
    expect((await slow).body.toString()).toBe('slow');
    await closed;
    expect(notes()).toEqual([...BEGIN, 'slow begins', 'slow ends', ...END]);
  });

  test('is awaited on SIGTERM', async () => {
    const program = loopshard(
      'serve',
      new URL(`./fixtures/${fixture()}`, import.meta.url).href,
      '--port',
      '0',
      '--shards',
      '1',
    );
    await program.printed(/http:\/\/127\.0\.0\.1:(\d+)/);
    program.child.kill('SIGTERM');
    expect(await program.exit()).toBe(0);
    expect(notes()).toEqual([...BEGIN, ...END]);
  });

  test('is awaited when a shard is replaced, and onStart is called on the new one', async () => {
    const { server, port } = await start();
    expect((await exchange(port, get('/throws'))).status).toBe(500);
    await until(
      () => server.stats().shards[0].restarts === 1 && server.stats().shards[0].state === 'ready',
      'the replacement',
    );
    expect((await exchange(port, get('/'))).status).toBe(200);
    expect(notes()).toEqual([...BEGIN, ...END, ...BEGIN, 'request']);
  });

  test('is logged if it fails, and the other listeners are called', async () => {
    const { server, logged } = await start({}, 'fail-close');
    await server.close();
    expect(notes()).toEqual([...BEGIN, 'close 2', 'close 1 of default 0', 'closed 1']);
    const failed = logged.find(({ message }) => message.includes('onClose'));
    expect(failed?.details.err?.message).toBe('cannot close');
  });

  test('may take until closeTimeoutMs', async () => {
    const { server } = await start({ timeouts: { closeTimeoutMs: 500 } }, 'hang-close');
    const before = performance.now();
    await server.close();
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(notes()).toEqual([...BEGIN, 'close 2']);
  });
});

describe('the beginning of the drain', () => {
  test('ends Server-Sent Events, so that close() does not wait for them', async () => {
    const { server, port } = await start({ timeouts: { closeTimeoutMs: 50_000 } });
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(port)));
    for (const client of clients) client.write(get('/events'));
    await until(() => clients.every((client) => client.pending.includes('data: one')), 'the events');
    const before = performance.now();
    const closed = server.close();
    await Promise.all(clients.map((client) => client.closed()));
    await closed;
    expect(performance.now() - before).toBeLessThan(25_000);
    // The body is complete, so browsers reconnect.
    for (const client of clients) expect(client.pending.toString()).toMatch(/\r\n0\r\n\r\n$/);
  });

  test('does so before drainDelayMs', async () => {
    const { server, port } = await start({ timeouts: { drainDelayMs: 2_000 } });
    const client = await RawClient.open(port);
    client.write(get('/events'));
    await until(() => client.pending.includes('data: one'), 'the event');
    let isClosed = false;
    const closed = server.close().then(() => {
      isClosed = true;
    });
    await until(() => client.pending.includes('\r\n0\r\n\r\n'), 'the end of the events');
    expect([isClosed, server.state]).toEqual([false, 'draining']);
    client.destroy();
    await closed;
  });

  test('aborts req.signal of streams, which may still send something', async () => {
    const { server, port } = await start();
    const client = await RawClient.open(port);
    client.write(get('/stream'));
    await until(() => client.pending.includes('begun'), 'the stream');
    await Promise.all([server.close(), client.closed()]);
    expect(client.pending.toString()).toMatch(/ last words\r\n0\r\n\r\n$/);
    expect(notes()).toContain('aborted with SERVER_CLOSING');
  });
});

test.each<[string, (app: ReturnType<typeof createApp>) => unknown]>([
  ['onStart', (app) => app.onStart(undefined as never)],
  ['onClose', (app) => app.onClose({} as never)],
  ['context', (app) => app.context('x' as never)],
  ['onError', (app) => app.onError(undefined as never)],
  ['notFound', (app) => app.notFound(undefined as never)],
])('%s rejects anything but a function', (name, act) => {
  expect(() => act(createApp())).toThrow(new RegExp(`^\`app\\.${name}\\(\\)\` expects a (function|handler), got `));
});
