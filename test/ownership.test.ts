import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exchange, get, post, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until, untilStarted } from './support/server.js';

/* The arguments and results of a handler belong to one request at a time. */
let running: TestServer;
let port: number;

beforeAll(async () => {
  running = await startServer(
    {
      shards: 1,
      memory: { slots: 64, slotBytes: 4_096 },
      scheduling: { permits: 8 },
      recovery: { onUncaught: 'exit' },
    },
    'ownership-app.js',
  );
  port = running.port;
});

afterAll(async () => {
  await expectConserved(running);
  expect(running.server.stats().shards[0].restarts).toBe(0);
  await running.server.close();
});

const json = async (path: string) => JSON.parse((await exchange(port, get(path))).body.toString());
const nobody = { user: null };

describe("a request's async context is isolated", () => {
  test.each(['/as/ada', '/as-later/ada', '/as-fails/ada', '/as-getter/ada'])('%s', async (path) => {
    expect(await json(path)).toEqual({ user: 'ada' });
    for (let i = 0; i < 10; i++) expect([await json('/who'), await json('/who-later')]).toEqual([nobody, nobody]);
    await sleep(5);
    expect(await json('/who')).toEqual(nobody);
  });

  test('for a stream, from chunk to chunk', async () => {
    const client = await RawClient.open(port);
    client.write(get('/as-stream/ada'));
    await until(() => client.pending.toString().includes('ada'), 'the stream');
    client.destroy();
    expect(await json('/who')).toEqual(nobody);
  });

  test('for a listener of its signal', async () => {
    const client = await RawClient.open(port);
    client.write(get('/as-signal/ada'));
    await untilStarted(running, 1);
    client.socket.resetAndDestroy();
    await until(() => running.server.stats().outstanding === 0, 'its end');
    expect([await json('/who'), await json('/who-later')]).toEqual([nobody, nobody]);
  });

  test('for the error handler and the not-found handler', async () => {
    for (let i = 0; i < 3; i++) {
      expect(await json('/as-fails/ada')).toEqual({ user: 'ada' });
      expect(await json('/no-such-path')).toEqual(nobody);
      expect(await json('/who')).toEqual(nobody);
    }
  });

  test('while many requests run at once', async () => {
    const paths = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? `/as-later/user-${i}` : '/who-later'));
    const answers = await Promise.all(paths.map(json));
    expect(answers).toEqual(paths.map((path) => ({ user: path.split('/')[2] ?? null })));
  });
});

describe('a stream that is not sent is ended, even if it fails later', () => {
  test.each(['/lost', '/lost-schema', '/lost-tag', '/breaks-late', '/open-schema'])('HEAD %s', async (path) => {
    for (let i = 0; i < 5; i++) await exchange(port, get(path).replace('GET', 'HEAD'), false);
    await sleep(20);
    expect((await exchange(port, get('/who'))).status).toBe(200);
  });

  test.each([
    ['/lost', 500],
    ['/lost-204', 204],
    ['/lost-schema', 500],
    ['/lost-tag', 500],
    ['/open-tag', 500],
    ['/open-schema', 500],
    ['/open-204', 204],
  ])('GET %s: %d', async (path, status) => {
    for (let i = 0; i < 5; i++) expect((await exchange(port, get(path))).status).toBe(status);
    await sleep(20);
    expect((await exchange(port, get('/who'))).status).toBe(200);
  });

  test('304 for clients that have it', async () => {
    for (let i = 0; i < 5; i++) {
      expect((await exchange(port, get('/lost-304', 'If-None-Match: "x"'))).status).toBe(304);
    }
    expect((await exchange(port, get('/who'))).status).toBe(200);
  });

  test('and closes its descriptor', async () => {
    const before = await json('/descriptors');
    const paths = ['/open-schema', '/open-tag', '/open-204', '/open-late'];
    for (let i = 0; i < 20; i++) for (const path of paths.slice(0, 3)) await exchange(port, get(path));
    await Promise.all(Array.from({ length: 6 }, () => exchange(port, get('/open-late'))));
    await until(async () => (await json('/descriptors')) <= before, 'the return of every descriptor');
    await until(() => running.server.stats().shards[0].abandoned === 0, 'the end of every handler');
  });
});

describe('after the end of a request', () => {
  test.each(['/keep-writer', '/keep-writer-stream'])(
    '%s cannot write into the response to another request afterwards',
    async (path) => {
      const first = await RawClient.open(port);
      first.write(get(path));
      await until(() => first.pending.length > 0, 'the response');
      first.destroy();
      await until(() => running.server.stats().outstanding === 0, 'its end');
      const secret = Buffer.alloc(3_000, 'secret ');
      const victims = Array.from({ length: 6 }, () => exchange(port, post('/slow-echo', secret)));
      await until(() => running.server.stats().outstanding === 6, 'the other requests');
      const outcomes = await json('/use-kept');
      expect(outcomes.slice(1)).toEqual([
        'REQUEST_FINISHED',
        'REQUEST_FINISHED',
        'REQUEST_FINISHED',
        'REQUEST_FINISHED',
      ]);
      expect(['NESTING_INVALID', 'done']).toContain(outcomes[0]);
      for (const { body, fields } of await Promise.all(victims)) {
        expect(body.equals(secret)).toBe(true);
        expect(fields.some(([name]) => name === 'x-evil')).toBe(false);
      }
    },
  );
});

describe('a request whose handler times out', () => {
  test('releases permit and slot, however many handlers never settle', async () => {
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(port, get('/hang'))));
      expect(answers.map(({ status }) => status)).toEqual(new Array(8).fill(504));
    }
    expect((await exchange(port, get('/who'))).status).toBe(200);
    const { slots, shards } = running.server.stats();
    expect([shards[0].permits.available, shards[0].abandoned, slots.free]).toEqual([8, 24, 64]);
  });

  test('keeps the memory that its handler has a view of', async () => {
    const body = Buffer.alloc(1_500, 'mine ');
    expect((await exchange(port, post('/hang-with-view', body))).status).toBe(504);
    await until(() => running.server.stats().shards[0].permits.available === 8, 'the permit');
    expect(running.server.stats().slots.free).toBe(63);
    for (let i = 0; i < 300; i++) {
      expect((await exchange(port, post('/length', Buffer.alloc(1_500, 'other ')))).body.toString()).toBe('1500');
    }
    await until(async () => 'isIntact' in (await json('/seen')), 'the end of the handler');
    expect(await json('/seen')).toMatchObject({ isIntact: true, afterwards: 'REQUEST_FINISHED' });
    await until(() => running.server.stats().slots.free === 64, 'the slot');
  });

  test('may return a stream too late without affecting other requests', async () => {
    expect((await exchange(port, get('/late-stream'))).status).toBe(504);
    for (let i = 0; i < 6; i++) {
      const bodies = Array.from({ length: 3 }, (_, k) => Buffer.from(`${i} ${k}`));
      const answers = await Promise.all(bodies.map((body) => exchange(port, post('/slow-echo', body))));
      expect(answers.map(({ body }) => body)).toEqual(bodies);
    }
    await until(() => running.server.stats().shards[0].permits.available === 8, 'every permit');
  });

  test('keeps its view even after an uncaught exception that it caused', async () => {
    const other = await startServer(
      { shards: 1, memory: { slotBytes: 4_096 }, recovery: { onUncaught: 'continue' } },
      'ownership-app.js',
    );
    const body = Buffer.alloc(300, 'mine ');
    expect((await exchange(other.port, post('/view-then-throws', body))).status).toBe(504);
    for (let i = 0; i < 100; i++) await exchange(other.port, post('/length', Buffer.alloc(1_500, 'other ')));
    const look = async () => JSON.parse((await exchange(other.port, get('/seen'))).body.toString());
    await until(async () => 'isIntactAfterThrow' in (await look()), 'the end of the handler');
    expect(await look()).toEqual({ isIntactAfterThrow: true });
    await expectConserved(other);
    await other.server.close();
  });

  test('cannot continue to write, and releases the extent that it had begun to write', async () => {
    expect((await exchange(port, get('/hang-with-writer'))).status).toBe(504);
    await until(async () => 'writer' in (await json('/seen')), 'the end of the handler');
    expect(await json('/seen')).toMatchObject({ writer: 'NESTING_INVALID' });
    const isFree = () => running.server.stats().extents.every(({ free, total }) => free === total);
    await until(isFree, 'the extent');
  });
});

describe('a head that is too large for a slot', () => {
  const pad = `X-Pad: ${'A'.repeat(7_000)}`;
  const chunk = `10000\r\n${'A'.repeat(65_536)}\r\n`;
  const head = (target: string, length: string) => `POST ${target} HTTP/1.1\r\nHost: x\r\n${pad}\r\n${length}\r\n\r\n`;

  test.each([
    [
      'of a chunked body that is read completely',
      `${head('/length', 'Transfer-Encoding: chunked')}${chunk.repeat(16)}0\r\n\r\n`,
      '1048576',
    ],
    ['of a large body that is gathered', head('/length', 'Content-Length: 1048576') + 'A'.repeat(1_048_576), '1048576'],
    ['of a streamed body', `${head('/length-of-stream', 'Content-Length: 5')}hello`, '{"bytes":5,"head":7000}'],
    [
      'of a streamed body in chunks',
      `${head('/length-of-stream', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
      '{"bytes":5,"head":7000}',
    ],
  ])('%s overwrites no other request', async (_what, request, answer) => {
    const first = exchange(port, post('/held-header', '', 'X-Who: first'));
    await untilStarted(running, 1);
    // One permit is left for the requests that release the others.
    const others = Array.from({ length: 6 }, (_, i) => exchange(port, post('/held-header', '', `X-Who: ${i}`)));
    await untilStarted(running, 7);
    await exchange(port, get('/release/first'));
    await first;
    // In the slot of the first, with the others behind it.
    const answered = await exchange(port, request);
    await exchange(port, get('/release-all'));
    for (const [i, { body }] of (await Promise.all(others)).entries()) {
      expect(JSON.parse(body.toString())).toEqual({ before: `${i}`, after: `${i}` });
    }
    expect(answered.body.toString()).toBe(answer);
  });
});

test('a handler that installs fake timers and clocks does not affect the server', async () => {
  expect((await exchange(port, get('/fakes-timers'))).body.toString()).toBe('faked');
  for (let i = 0; i < 20; i++) expect((await exchange(port, get('/who'))).status).toBe(200);
  const client = await RawClient.open(port);
  client.write(get('/stream'));
  await until(() => client.pending.toString().endsWith('0\r\n\r\n'), 'the stream');
  expect(client.pending.toString()).toMatch(/date: \w+, \d+ \w+ 20\d\d/);
  client.destroy();
  await until(async () => (await json('/who-later')).user === null, 'the real timers');
});

test.each(['/throws-revoked', '/throws-hostile', '/returns-hostile', '/rejects-hostile'])(
  '%s gets 500, and the shard survives',
  async (path) => {
    expect((await exchange(port, get(path))).status).toBe(500);
    expect((await exchange(port, get('/who'))).status).toBe(200);
  },
);

test('a handler may add many listeners to its signal without a warning', async () => {
  expect(await json('/listens-often')).toEqual([]);
});

test('an error response is sent even if maxResponseBytes is smaller', async () => {
  const small = await startServer(
    { shards: 1, limits: { maxResponseBytes: 20 }, recovery: { onUncaught: 'exit' } },
    'ownership-app.js',
  );
  expect((await exchange(small.port, get('/large/21'))).status).toBe(500);
  expect((await exchange(small.port, get('/large/20'))).status).toBe(200);
  expect(small.server.stats().shards[0].restarts).toBe(0);
  await expectConserved(small);
  await small.server.close();
});
