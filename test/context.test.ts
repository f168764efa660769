import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { exchange, field, get, post, RawClient } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

/* Libraries keep state in the async context of a request. No other request may see it. */
let running: TestServer;

afterEach(async () => {
  await expectConserved(running);
  await running.server.close();
});

const read = async (path: string, headers = {}) =>
  (await fetch(`http://127.0.0.1:${running.port}${path}`, { headers })).text();
const json = async (path: string, headers = {}) => JSON.parse(await read(path, headers));
/** Header with the context for a request. */
const by = (name: string) => ({ 'x-user': name });
const names = Array.from({ length: 30 }, (_, i) => `user-${i}`);

describe("OpenTelemetry's context manager", () => {
  const start = async (query = '') => {
    running = await startServer({ shards: 1, memory: { slotBytes: 4_096 } }, `otel-app.js${query}`);
  };

  test('isolates what a handler sets with `context.with` and `context.bind`', async () => {
    await start();
    const answers = await Promise.all(
      names.flatMap((name) => [json(`/as/${name}`), json('/who'), json(`/bound/${name}`), json('/who-later')]),
    );
    const nobody = { user: null };
    expect(answers).toEqual(names.flatMap((name) => [[name, name], nobody, [null, name], nobody]));
  });

  test('has the context of `app.context` in all code of the request, and in no other', async () => {
    await start('?enters');
    const answers = await Promise.all(
      names.flatMap((name) => [
        json('/who', by(name)),
        json('/who-later', by(name)),
        json('/fails', by(name)),
        json('/no-such-path', by(name)),
        read('/stream', by(name)),
      ]),
    );
    const expected = names.flatMap((user) => {
      const seen = { user };
      return [seen, seen, { user, code: 'for the error handler' }, seen];
    });
    expect(answers.filter((_, i) => i % 5 < 4)).toEqual(expected);
    expect(answers.filter((_, i) => i % 5 === 4)).toEqual(names.map((name) => `${name} ${name}`));
  });

  test('has the context of `app.context` after a large body and in listeners of the signal', async () => {
    await start('?enters');
    const body = Buffer.alloc(3_000, 'x');
    const answer = await exchange(running.port, post('/large', body, 'X-User: ada'));
    expect(JSON.parse(answer.body.toString())).toEqual({ user: 'ada', bytes: 3_000 });
    const client = await RawClient.open(running.port);
    client.write(get('/aborted', 'X-User: eve'));
    await until(() => running.server.stats().shards[0].requests === 2, 'the start');
    client.socket.resetAndDestroy();
    await until(async () => (await json('/heard', by('ada'))).length === 1, 'the end of its signal');
    expect(await json('/heard', by('ada'))).toEqual(['eve']);
  });

  test('fails only the request whose context cannot be entered', async () => {
    await start('?enters');
    expect(await json('/who', by('nobody'))).toEqual({ user: null, code: 'CONTEXT_INVALID' });
    expect(await json('/who', by('fails'))).toEqual({ user: null, code: 'on purpose' });
    expect(await json('/who', by('ada'))).toEqual({ user: 'ada' });
  });
});

test("Sentry's user is not visible to other requests, with `app.context`", async () => {
  running = await startServer({ shards: 1 }, 'sentry-app.js');
  const kinds = ['as', 'as-later', 'as-fails', 'as-stream'];
  await Promise.all(
    names.flatMap((name, i) => [
      ...kinds.map((kind) => read(`/${kind}/${name}`)),
      read(`/anonymous/${i}`),
      read(`/anonymous-later/${i}`),
    ]),
  );
  const events = await json('/events');
  const expected = names.flatMap((name, i) => [
    ...['sync', 'async', 'fails', 'stream'].map((kind) => [`${kind} ${name}`, name]),
    [`anonymous ${i}`, null],
    [`anonymous later ${i}`, null],
  ]);
  expect(events).toEqual(Object.fromEntries(expected));
});

test('Sentry without its listeners leaves uncaught exceptions to the shard', async () => {
  running = await startServer({ shards: 1 }, 'sentry-app.js');
  const { server, port } = running;
  for (const [i, path] of ['/throws-later', '/rejects'].entries()) {
    expect((await exchange(port, get(path))).status).toBe(500);
    const isReplaced = () => server.stats().shards[0].restarts === i + 1 && server.stats().shards[0].state === 'ready';
    await until(isReplaced, 'the replacement');
  }
});

test('a context entered by middleware is that of its request, and of no other', async () => {
  running = await startServer({ shards: 1 }, 'storage-app.js');
  const kinds = ['at-once', 'later', 'stream', 'fails', 'no-such-path'];
  const answers = await Promise.all(
    names.flatMap((name) => kinds.flatMap((kind) => [read(`/${kind}`, by(name)), read(`/${kind}`)])),
  );
  const said = (kind: string, name: string) => (kind === 'stream' ? `${name} ${name}` : name);
  expect(answers).toEqual(names.flatMap((name) => kinds.flatMap((kind) => [said(kind, name), said(kind, 'nobody')])));
  const clients = await Promise.all(
    names.map(async (name) => {
      const client = await RawClient.open(running.port);
      client.write(get('/upgrade', 'Connection: Upgrade', 'Upgrade: name', `X-User: ${name}`));
      return client;
    }),
  );
  for (const [i, client] of clients.entries()) {
    await client.response();
    client.write('go');
    await client.closed();
    expect(client.pending.toString()).toBe(`data ${names[i]}`);
    client.destroy();
  }
  const uploads = await Promise.all(
    names.map((name) => exchange(running.port, post('/upload', Buffer.alloc(100_000), `X-User: ${name}`))),
  );
  expect(uploads.map(({ body }) => body.toString())).toEqual(names);
  expect(uploads.map((response) => field(response, 'x-seen'))).toEqual(names.map((name) => `nobody ${name}`));
});

describe('an async context entered by user code on the HTTP thread does not leak from', () => {
  const storage = new AsyncLocalStorage<string>();
  /** The context that each call has found. Each call then enters another one. */
  let seen: (string | undefined)[];
  const enter = (what: string) => {
    seen.push(storage.getStore());
    storage.enterWith(what);
  };

  beforeEach(() => {
    seen = [];
  });

  test('priority()', async () => {
    running = await startServer({
      shards: 1,
      scheduling: {
        priority: (_method, path) => {
          enter(path);
          return 'normal';
        },
      },
    });
    const client = await RawClient.open(running.port);
    for (let i = 0; i < 3; i++) {
      client.write(get('/json'));
      expect((await client.response()).status).toBe(200);
    }
    client.destroy();
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  test('a listener of upgrades', async () => {
    running = await startServer({ shards: 1, ...ONE_HTTP_THREAD });
    running.server.onUpgrade((_req, socket) => {
      enter('an upgrade');
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    });
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(running.port)));
    // Behind pending responses, it is called in turns of the server and not of the connections, several times in one.
    for (const client of clients) client.write(get('/sync/x') + get('/', 'Connection: Upgrade', 'Upgrade: websocket'));
    for (const client of clients) {
      expect((await client.response()).body.toString()).toBe('x');
      await client.closed();
      client.destroy();
    }
    expect(seen).toEqual(new Array(20).fill(undefined));
  });

  test('a listener of events', async () => {
    running = await startServer({ shards: 1 }, 'streams.js');
    running.server.on('shard', ({ state }) => enter(state));
    await exchange(running.port, get('/exit-now'));
    await until(() => seen.length === 4, 'the replacement');
    expect(seen).toEqual(new Array(4).fill(undefined));
  });
});

test('app.context rejects anything but a function', async () => {
  const { createApp } = await import('loopshard');
  expect(() => createApp().context({} as never)).toThrow(
    expect.objectContaining({
      code: 'ROUTE_INVALID',
      message: '`app.context()` expects a function, got {}.',
    }),
  );
});
