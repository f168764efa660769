import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeChunked } from './support/chunked.js';
import { exchange, field, get, post, RawClient } from './support/client.js';
import { expectConserved, ONE_HTTP_THREAD, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;
let port: number;
const notes = new Map<string, unknown[]>();
const channel = new BroadcastChannel('loopshard-streams');
channel.onmessage = (event) => {
  const { name, what } = (event as unknown as { data: { name: string; what: unknown } }).data;
  notes.set(name, [...(notes.get(name) ?? []), what]);
};

beforeAll(async () => {
  running = await startServer({}, 'streams.js');
  port = running.port;
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
  channel.close();
});

/** Returns the outcome of a stream of the fixture. */
function seen(name: string): unknown[] {
  return notes.get(name) ?? [];
}

function lastSeen(name: string): number {
  return Number(seen(name).at(-1) ?? 0);
}

interface Streamed {
  head: string;
  body: Buffer;
  chunks: number;
}

/** Requests `path` over HTTP/1.1 on a persistent connection, and decodes the response strictly. */
async function streamed(path: string): Promise<Streamed> {
  const client = await RawClient.open(port);
  client.write(get(path));
  const answer = await nextStreamed(client);
  client.destroy();
  return answer;
}

async function nextStreamed(client: RawClient): Promise<Streamed> {
  const { statusLine, fields } = await client.response();
  const lines = fields.map(([name, value]) => `${name}: ${value}`);
  let decoded: ReturnType<typeof decodeChunked>;
  await until(() => {
    decoded = decodeChunked(client.pending);
    return decoded !== undefined || client.ended;
  }, 'the end of the stream');
  if (decoded === undefined) throw new Error('the stream is incomplete');
  client.skip(client.pending.length - decoded.rest.length);
  return { head: [statusLine, ...lines].join('\n'), body: decoded.body, chunks: decoded.chunks };
}

describe('sends', () => {
  test.each([
    ['/text', 'grüße, Welt', 'text/plain; charset=utf-8'],
    ['/bytes', Buffer.from([0, 255, 1, 254, 2, 253, 3, 252, 4, 251]), 'application/octet-stream'],
    ['/none', '', 'text/plain; charset=utf-8'],
    ['/web', 'a web stream', 'application/octet-stream'],
    ['/node', 'a node stream', 'text/plain; charset=utf-8'],
    ['/late-head?value=x', 'latex', 'text/x-late'],
  ])('%s in the chunked coding', async (path, body, type) => {
    const answer = await streamed(path);
    expect(answer.body.equals(Buffer.from(body as string))).toBe(true);
    expect(answer.head).toContain(`\ncontent-type: ${type}`);
    expect(answer.head).toContain('\ntransfer-encoding: chunked');
    expect(answer.head).not.toContain('content-length');
  });

  test('status and headers that are set before the first chunk', async () => {
    const { head } = await streamed('/late-head?value=x');
    expect(head).toMatch(/^HTTP\/1\.1 203 /);
    expect(head).toContain('\nx-late: x');
  });

  test('no status or headers that are set after the first chunk', async () => {
    expect((await streamed('/sealed')).body.toString()).toBe('aHEADER_INVALID');
  });

  test.each([
    [1, 1],
    [3, 65_535],
    [3, 65_536],
    [3, 65_537],
    [2, 1_000_000],
    [2_000, 7],
    [500, 1_021],
  ])('%d chunks of %d bytes', async (chunks, bytes) => {
    const { body } = await streamed(`/large/${chunks}/${bytes}`);
    const wanted = Buffer.concat(Array.from({ length: chunks }, (_, i) => Buffer.alloc(bytes, i)));
    expect(body.equals(wanted)).toBe(true);
  });

  test('small chunks of one turn together', async () => {
    expect((await streamed('/large/2000/7')).chunks).toBe(1);
  });

  test.each([
    ['/reused', 200, 1_000, ''],
    ['/reused', 100, 1_000, '?later'],
    ['/reused', 5, 65_536, ''],
    ['/reused', 5, 300_000, ''],
    ['/reused', 5, 300_000, '?later'],
    ['/reused-compressed', 100, 1_000, ''],
    ['/reused-compressed', 5, 300_000, '?later'],
  ])(
    'chunks whose memory is reused after they were yielded (%s: %d × %d bytes%s)',
    async (path, chunks, bytes, query) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}/${chunks}/${bytes}${query}`);
      expect(response.headers.get('content-encoding') !== null).toBe(path === '/reused-compressed');
      const body = Buffer.from(await response.arrayBuffer());
      const wanted = Buffer.concat(Array.from({ length: chunks }, (_, i) => Buffer.alloc(bytes, i)));
      expect(body.equals(wanted)).toBe(true);
    },
  );

  test('chunks that depend on the request, which can be read until the end', async () => {
    const client = await RawClient.open(port);
    client.write(post('/echo', 'the body', 'X-Name: name'));
    client.write(post('/echo', 'another', 'X-Name: other'));
    expect((await nextStreamed(client)).body.toString()).toBe('the bodyname the body');
    expect((await nextStreamed(client)).body.toString()).toBe('anotherother another');
    client.destroy();
  });

  test('unframed bytes to HTTP/1.0, until the end of the connection', async () => {
    const client = await RawClient.open(port);
    client.write('GET /large/3/70000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    await client.closed();
    const received = client.pending;
    const end = received.indexOf('\r\n\r\n');
    const head = received.toString('latin1', 0, end).toLowerCase();
    expect(head).toContain('\r\nconnection: close');
    expect(head).not.toMatch(/transfer-encoding|content-length|keep-alive/);
    expect(received.length - end - 4).toBe(210_000);
  });

  test('the head alone if the first chunk is empty', async () => {
    const client = await RawClient.open(port);
    client.write(get('/empty-first?name=empty'));
    const { status } = await client.response();
    expect(status).toBe(200);
    expect(client.pending.length).toBe(0);
    client.socket.resetAndDestroy();
    await until(() => seen('empty').includes('aborted'), 'the abort');
  });
});

describe('without a body', () => {
  test('HEAD gets the head, and the stream is not started', async () => {
    const { fields } = await exchange(port, get('/disposed?name=head').replace('GET', 'HEAD'), false);
    expect(fields.map(([name]) => name).sort()).toEqual(['connection', 'date', 'keep-alive', 'transfer-encoding']);
    await until(() => seen('head').length > 0, 'the end of the stream');
    expect(seen('head')).toEqual(['destroyed']);
  });

  test.each([204, 304])('%d that is set before: the stream is not started', async (status) => {
    const name = `disposed-${status}`;
    const response = await exchange(port, get(`/disposed?name=${name}&status=${status}`));
    expect(response.status).toBe(status);
    expect(field(response, 'transfer-encoding')).toBeUndefined();
    await until(() => seen(name).length > 0, 'the end of the stream');
    expect(seen(name)).toEqual(['destroyed']);
  });

  test.each([204, 304])('%d that is set by the stream: no body is sent', async (status) => {
    const client = await RawClient.open(port);
    const name = `late-${status}`;
    client.write(get(`/not-modified?name=${name}&status=${status}`) + get('/plain'));
    const response = await client.response();
    expect([response.status, field(response, 'transfer-encoding')]).toEqual([status, undefined]);
    expect((await client.response()).body.toString()).toBe('plain');
    client.destroy();
    expect(seen(name)).toEqual(['returned']);
  });
});

describe('failures', () => {
  test.each(['/fails-first', '/yields/number', '/yields/null', '/bad-header', '/iterator-throws'])(
    '%s gets a normal 500',
    async (path) => {
      const client = await RawClient.open(port);
      const before = running.logged.length;
      client.write(get(path) + get('/plain'));
      expect((await client.response()).status).toBe(500);
      expect((await client.response()).body.toString()).toBe('plain');
      client.destroy();
      await until(() => running.logged.length > before, 'the log');
      expect(running.logged.slice(before)).toMatchObject([{ level: 'error', message: `GET ${path} failed` }]);
    },
  );

  test.each(['/fails-later', '/yields/number?after', '/yields/undefined?after', '/yields/object?after'])(
    '%s sends what was yielded, then breaks off, and is logged',
    async (path) => {
      const client = await RawClient.open(port);
      const before = running.logged.length;
      client.write(get(path) + get('/plain'));
      expect((await client.response()).status).toBe(200);
      await client.closed();
      expect(client.pending.toString()).toBe('5\r\nfirst\r\n');
      await until(() => running.logged.length > before, 'the log');
      expect(running.logged.slice(before)).toMatchObject([{ level: 'error', message: `GET ${path} failed` }]);
      await until(() => running.server.stats().outstanding === 0, 'the slot');
    },
  );

  test('reset an HTTP/1.0 connection, because its normal end would be the end of the body', async () => {
    const client = await RawClient.open(port);
    const errors: string[] = [];
    client.socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code!));
    // Not immediately: while data is unread, libuv reports the reset as an end.
    client.write('GET /fails-later?ms=30 HTTP/1.0\r\n\r\n');
    await until(() => client.socket.destroyed, 'the end of the connection');
    expect(errors).toEqual(['ECONNRESET']);
  });

  test('of the shard close the connection', async () => {
    const client = await RawClient.open(port);
    client.write(get('/exit'));
    expect((await client.response()).status).toBe(200);
    await client.closed();
    expect(client.pending.toString()).toMatch(/before the end\r\n$/);
    await until(() => running.server.stats().shards.every(({ state }) => state === 'ready'), 'the shards');
  });
});

describe('clients that disconnect', () => {
  test.each(['reset', 'end', 'destroy'] as const)('%s: the source is returned, its signal aborted', async (how) => {
    const name = `leaves-${how}`;
    const client = await RawClient.open(port);
    client.write(get(`/endless?name=${name}`));
    await until(() => client.pending.length > 100_000, 'the stream');
    if (how === 'reset') client.socket.resetAndDestroy();
    else if (how === 'destroy') client.destroy();
    else {
      // The source may keep reading for a while.
      client.socket.end();
      const { length } = client.pending;
      await until(() => client.pending.length > length + 500_000, 'more of the stream');
      client.destroy();
    }
    await until(() => seen(name).includes('returned'), 'the return');
    expect(seen(name).sort()).toEqual(['aborted', 'returned']);
    await expectConserved(running);
  });

  test('abort the signal of a stream that waits', async () => {
    const before = running.logged.length;
    const client = await RawClient.open(port);
    client.write(get('/ticks?name=ticks'));
    await until(() => client.pending.includes('tick'), 'the stream');
    client.destroy();
    await until(() => seen('ticks').includes('returned'), 'the return');
    await expectConserved(running);
    expect(running.logged.slice(before)).toEqual([]);
  });

  const started = () => running.server.stats().shards.reduce((sum, { requests }) => sum + requests, 0);

  test.each(['/silent/web', '/silent/node', '/silent-compressed/web', '/silent-later/web', '/silent-later/node'])(
    '%s: an idle stream is ended immediately, begun or not',
    async (path) => {
      for (const first of ['', 'first']) {
        const name = `${path} ${first}`;
        const before = started();
        const client = await RawClient.open(port);
        client.write(get(`${path}?name=${encodeURIComponent(name)}&first=${first}`, 'Accept-Encoding: gzip'));
        await until(() => started() > before, 'the start');
        const isBegun = first !== '' && !path.startsWith('/silent-later');
        if (isBegun) await until(() => client.pending.toString('latin1').includes('\r\n\r\n'), 'the stream');
        client.socket.resetAndDestroy();
        await until(() => seen(name).length > 0, 'the end of the stream');
        await expectConserved(running);
        expect(seen(name)).toEqual(['returned']);
      }
    },
  );

  test.each([false, true])(
    'a stream releases its permit, and its slot unless it has a view of it, even if its generator never ends (view: %p)',
    async (view) => {
      const other = await startServer({ shards: 1 }, 'streams.js');
      const { server } = other;
      const client = await RawClient.open(other.port);
      const name = `held ${view}`;
      client.write(get(`/held?name=${encodeURIComponent(name)}${view ? '&view=1' : ''}`));
      await until(() => client.pending.includes('first'), 'the stream');
      const taken = () => {
        const { slots, shards } = server.stats();
        return [slots.total - slots.free, shards[0].permits.limit - shards[0].permits.available, shards[0].streams];
      };
      await until(() => isDeepStrictEqual(taken(), [view ? 1 : 0, 0, 1]), 'the return of all that is not in use');
      client.socket.resetAndDestroy();
      await until(() => server.stats().shards[0].abandoned === 1, 'the end of patience');
      expect(taken()).toEqual([view ? 1 : 0, 0, 0]);
      // The request that uses the slot now must not be affected.
      expect((await exchange(other.port, get('/slow-first/1'), false)).status).toBe(200);
      await exchange(other.port, get('/let-go'));
      await until(() => server.stats().shards[0].abandoned === 0, 'the end of the generator');
      await until(() => seen(name).length > 0, 'the note');
      expect(seen(name)).toEqual(['REQUEST_FINISHED']);
      await expectConserved(other);
      await other.server.close();
    },
  );

  test('a generator that fails and does not end releases permit and slot', async () => {
    const other = await startServer({ shards: 1 }, 'streams.js');
    const client = await RawClient.open(other.port);
    client.write(get('/held-at-end'));
    await client.closed();
    expect(client.pending.toString('latin1')).toMatch(/first/);
    await until(() => other.server.stats().shards[0].abandoned === 1, 'the end of patience');
    await expectConserved(other);
    await exchange(other.port, get('/let-go'));
    await until(() => other.server.stats().shards[0].abandoned === 0, 'the end of the generator');
    await expectConserved(other);
    await other.server.close();
  });

  test('a stream continues for a client that has ended its side, even if abortOnHalfClose aborts its signal', async () => {
    const other = await startServer({ shards: 1, abortOnHalfClose: true }, 'streams.js');
    const client = await RawClient.open(other.port, { allowHalfOpen: true });
    client.write(get('/slow-first/50'));
    await until(() => other.server.stats().shards[0].requests === 1, 'the start');
    client.socket.end();
    expect((await nextStreamed(client)).body.toString()).toBe('firstsecond');
    client.destroy();
    await expectConserved(other);
    await other.server.close();
  });

  test('a stream that waits for an earlier response produces no more than its window', async () => {
    const client = await RawClient.open(port);
    client.write(get('/slow-first/300') + get('/endless?name=waiting&bytes=10000'));
    await until(() => lastSeen('waiting-chunks') > 20, 'the second stream');
    client.destroy();
    await until(() => seen('waiting').includes('returned'), 'the return');
    expect(lastSeen('waiting-chunks')).toBeLessThan(60);
  });

  test('while the first chunk is in flight', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(port)));
    for (const client of clients) client.write(get('/slow-first/1000'));
    await until(() => running.server.stats().outstanding >= 20, 'the requests');
    for (const client of clients) client.destroy();
    await expectConserved(running);
  });
});

test('a client that stops reading stops the source', async () => {
  const client = await RawClient.open(port);
  client.socket.pause();
  client.write(get('/endless?name=paused&bytes=65536'));
  let chunks = -1;
  await until(() => {
    const before = chunks;
    chunks = lastSeen('paused-chunks');
    return chunks > 0 && chunks === before;
  }, 'the source to stop');
  client.socket.resume();
  await until(() => lastSeen('paused-chunks') > chunks + 100, 'the stream to continue');
  client.destroy();
});

test('responses behind a stream wait for its end', async () => {
  const client = await RawClient.open(port);
  client.write(get('/slow-first/20') + get('/plain') + get('/text') + get('/none') + get('/plain'));
  expect((await nextStreamed(client)).body.toString()).toBe('firstsecond');
  expect((await client.response()).body.toString()).toBe('plain');
  expect((await nextStreamed(client)).body.toString()).toBe('grüße, Welt');
  expect((await nextStreamed(client)).body.toString()).toBe('');
  expect((await client.response()).body.toString()).toBe('plain');
  client.destroy();
});

test('many concurrent streams each send their own bytes', async () => {
  const sizes = Array.from({ length: 60 }, (_, i) => 1 + ((i * 7_919) % 90_000));
  const bodies = await Promise.all(sizes.map((bytes) => streamed(`/large/3/${bytes}`)));
  for (const [i, { body }] of bodies.entries()) {
    const wanted = Buffer.concat([0, 1, 2].map((byte) => Buffer.alloc(sizes[i], byte)));
    expect(body.equals(wanted)).toBe(true);
  }
});

describe('limits', () => {
  test('handlerTimeoutMs applies to the time until the head', async () => {
    const quick = await startServer({ timeouts: { handlerTimeoutMs: 1_000 } }, 'streams.js');
    expect((await exchange(quick.port, get('/slow-first/3000'))).status).toBe(504);
    // The head is sent in time, the end is not.
    const slow = await fetch(`http://127.0.0.1:${quick.port}/slow-first/600`);
    expect(await slow.text()).toBe('firstsecond');
    await expectConserved(quick);
    await quick.server.close();
  });

  test('streams use neither permits nor slots', async () => {
    const narrow = await startServer(
      { shards: 1, scheduling: { permits: 1, batch: 1 }, memory: { slots: 2 }, ...ONE_HTTP_THREAD },
      'streams.js',
    );
    const clients: RawClient[] = [];
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.open(narrow.port);
      client.write(get('/ticks?name=x'));
      await until(() => client.pending.includes('tick'), 'the stream');
      clients.push(client);
    }
    const free = () => {
      const { slots, shards, outstanding } = narrow.server.stats();
      return [slots.free, shards[0].permits.available, outstanding, shards[0].streams];
    };
    await until(() => isDeepStrictEqual(free(), [2, 1, 0, 20]), 'the return of permit and slots');
    expect((await exchange(narrow.port, get('/plain'))).status).toBe(200);
    for (const client of clients) client.destroy();
    await expectConserved(narrow);
    await narrow.server.close();
  });

  test('a stream without its slot still has its request', async () => {
    const narrow = await startServer({ shards: 1, memory: { slots: 2 }, ...ONE_HTTP_THREAD }, 'streams.js');
    const client = await RawClient.open(narrow.port);
    const body = JSON.stringify({ text: 'grüße' });
    const before = await exchange(narrow.port, post('/remembers/7?q=a&name=other', body, 'X-Name: early'));
    client.write(post('/remembers/7?q=b&name=late', body, 'X-Name: late'));
    await until(() => client.pending.includes('first'), 'the head');
    await until(() => narrow.server.stats().slots.free === 2, 'the slot');
    // Other requests overwrite its former slot.
    for (let i = 0; i < 6; i++) await exchange(narrow.port, post(`/other/${i}`, 'z'.repeat(900), 'X-Name: zzzz'));
    await exchange(narrow.port, get('/go-on'));
    const answer = await nextStreamed(client);
    const parse = ({ body }: { body: Buffer }) => JSON.parse(body.toString().replace('first', ''));
    const wanted = {
      id: '7',
      q: 'b',
      header: 'late',
      json: { text: 'grüße' },
      text: body,
      bytes: Buffer.byteLength(body),
    };
    expect(parse(answer)).toEqual({ ...wanted, method: 'POST', ip: '127.0.0.1', isAborted: false });
    expect(before.status).toBe(200);
    client.destroy();
    await expectConserved(narrow);
    await narrow.server.close();
  });

  test('a stream whose request body is still being read keeps its slot but no permit', async () => {
    const narrow = await startServer(
      { shards: 1, scheduling: { permits: 1, batch: 1 }, memory: { slots: 4 }, ...ONE_HTTP_THREAD },
      'uploads.js',
    );
    const client = await RawClient.open(narrow.port);
    client.write('POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
    await until(() => client.pending.includes('one'), 'the first piece');
    await until(() => narrow.server.stats().shards[0].permits.available === 1, 'the permit');
    expect(narrow.server.stats().slots.free).toBe(3);
    client.write('3\r\ntwo\r\n');
    await until(() => client.pending.includes('two'), 'the second piece');
    client.write('0\r\n\r\n');
    expect((await nextStreamed(client)).body.toString()).toBe('onetwo');
    client.destroy();
    await expectConserved(narrow);
    await narrow.server.close();
  });

  test('more than maxStreams get 503, which is logged once', async () => {
    const few = await startServer({ shards: 1, limits: { maxStreams: 2 } }, 'streams.js');
    const open = async () => {
      const client = await RawClient.open(few.port);
      client.write(get('/ticks?name=x'));
      await until(() => client.pending.includes('tick'), 'the stream');
      return client;
    };
    const clients = [await open(), await open()];
    for (let i = 0; i < 3; i++) {
      const refused = await exchange(few.port, get('/ticks?name=x'));
      expect([refused.status, field(refused, 'retry-after')]).toEqual([503, '1']);
      expect(JSON.parse(refused.body.toString()).code).toBe('TOO_MANY_STREAMS');
    }
    expect((await exchange(few.port, get('/plain'))).status).toBe(200);
    const said = few.logged.map(({ level, message }) => `${level}: ${message}`);
    expect(said).toEqual(['warn: shard 0 is streaming 2 responses; further ones get 503 (`limits.maxStreams`)']);
    clients[0].destroy();
    await until(() => few.server.stats().shards[0].streams === 1, 'the end of one stream');
    clients.push(await open());
    for (const client of clients) client.destroy();
    await expectConserved(few);
    await few.server.close();
  });

  test('when a shard ends, its streams break off, and those of other shards continue', async () => {
    const other = await startServer({ shards: 1 }, 'streams.js');
    const client = await RawClient.open(other.port);
    client.write(get('/ticks?name=x'));
    await until(() => client.pending.includes('tick'), 'the stream');
    await until(() => other.server.stats().slots.free === other.server.stats().slots.total, 'the slot');
    (await RawClient.open(other.port)).write(get('/exit?now'));
    await client.closed();
    expect(client.pending.toString()).not.toMatch(/0\r\n\r\n$/);
    await until(() => other.server.stats().shards[0].state === 'ready', 'the next thread');
    await expectConserved(other);
    await other.server.close();
  });

  test('close() waits for streams that end, and drops those that do not', async () => {
    const one = await startServer({ timeouts: { closeTimeoutMs: 500 } }, 'streams.js');
    const [ending, endless] = await Promise.all([RawClient.open(one.port), RawClient.open(one.port)]);
    ending.write(get('/slow-first/50'));
    endless.write(get('/ticks?name=x'));
    await until(() => ending.pending.includes('first') && endless.pending.includes('tick'), 'the streams');
    await one.server.close();
    await Promise.all([ending.closed(), endless.closed()]);
    expect(ending.pending.toString()).toMatch(/second\r\n0\r\n\r\n$/);
    expect(endless.pending.toString()).toMatch(/tick\r\n$/);
  });
});
