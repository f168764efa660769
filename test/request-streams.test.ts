import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp } from 'loopshard';
import { decodeChunked } from './support/chunked.js';
import { exchange, field, get, post, RawClient, type RawResponse } from './support/client.js';
import { root } from './support/process.js';
import { createRandom } from './support/random.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

const WINDOW = 256 * 1024;
let running: TestServer;

beforeAll(async () => {
  running = await startServer({ limits: { maxBodyBytes: 1_000 }, memory: { slots: 64 } }, 'uploads.js');
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
});

const body = (length: number) => {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 9)) & 255;
  return bytes;
};
const sha1 = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest('hex');
const json = ({ body: bytes }: RawResponse) => JSON.parse(bytes.toString());
const head = (target: string, ...fields: string[]) =>
  `POST ${target} HTTP/1.1\r\nHost: x\r\n${fields.map((line) => `${line}\r\n`).join('')}\r\n`;

function chunked(target: string, bytes: Buffer, size: () => number, trailer = ''): Buffer {
  const parts: Buffer[] = [Buffer.from(head(target, 'Transfer-Encoding: chunked'))];
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + size());
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    at += piece.length;
  }
  parts.push(Buffer.from(`0\r\n${trailer}\r\n`));
  return Buffer.concat(parts);
}

async function expectDigest(response: Promise<RawResponse>, bytes: Buffer): Promise<void> {
  const { status, body: answer } = await response;
  expect([status, answer.toString()]).toEqual([200, expect.stringContaining(`"sha1":"${sha1(bytes)}"`)]);
  expect(JSON.parse(answer.toString())).toMatchObject({ length: bytes.length });
}

const SIZES = [0, 1, 999, 1_001, 65_535, 65_536, WINDOW - 1, WINDOW, WINDOW + 1, 1_000_003, 3_000_000];

test.each(SIZES)('%d bytes arrive, with a content-length and chunked', async (length) => {
  const bytes = body(length);
  await expectDigest(exchange(running.port, post('/digest', bytes)), bytes);
  await expectDigest(
    exchange(
      running.port,
      chunked('/digest', bytes, () => 10_007),
    ),
    bytes,
  );
  await expectDigest(exchange(running.port, post('/slow', bytes)), bytes);
  await expectDigest(exchange(running.port, post('/single', bytes)), bytes);
  const kept = await exchange(running.port, post('/keeps', bytes));
  expect(sha1(kept.body)).toBe(sha1(bytes));
  await expectConserved(running);
});

test('bodies split at random arrive, before and after other requests', async () => {
  const random = createRandom();
  for (let round = 0; round < 30; round++) {
    const client = await RawClient.open(running.port);
    const bodies = Array.from({ length: 3 }, () => body(Math.floor(random() ** 3 * 600_000)));
    const size = () => 1 + Math.floor(random() ** 4 * 70_000);
    const wire = Buffer.concat(
      bodies.flatMap((bytes) => [
        Buffer.from(get('/plain')),
        random() < 0.5 ? post('/digest', bytes) : chunked('/slow', bytes, size, 'X-Trailer: dropped\r\n'),
      ]),
    );
    const sent = (async () => {
      for (let at = 0; at < wire.length; ) {
        const end = at + 1 + Math.floor(random() ** 3 * 150_000);
        await client.send(wire.subarray(at, end));
        at = end;
        if (random() < 0.2) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    for (const bytes of bodies) {
      expect((await client.response()).body.toString()).toBe('plain');
      await expectDigest(client.response(), bytes);
    }
    await sent;
    client.destroy();
  }
  await expectConserved(running);
});

test('bodies arrive in chunks of one byte, and byte by byte', async () => {
  const bytes = body(40_000);
  await expectDigest(
    exchange(
      running.port,
      chunked('/digest', bytes, () => 1),
    ),
    bytes,
  );
  const client = await RawClient.open(running.port);
  for (const byte of chunked('/digest', bytes.subarray(0, 40), () => 3)) await client.send(Uint8Array.of(byte));
  await expectDigest(client.response(), bytes.subarray(0, 40));
  client.destroy();
});

test('ten uploads arrive at once', async () => {
  const bytes = body(2_000_000);
  const paths = ['/digest', '/slow', '/single'];
  const all = Array.from({ length: 10 }, (_, i) => exchange(running.port, post(paths[i % 3], bytes)));
  for (const one of all) await expectDigest(one, bytes);
  await expectConserved(running);
});

test('requests of HTTP/1.0, GET and HEAD may have bodies', async () => {
  const bytes = body(100_000);
  const wire = (line: string) =>
    Buffer.concat([Buffer.from(`${line}\r\nHost: x\r\nContent-Length: 100000\r\n\r\n`), bytes]);
  await expectDigest(exchange(running.port, wire('POST /digest HTTP/1.0')), bytes);
  await expectDigest(exchange(running.port, wire('GET /any HTTP/1.1')), bytes);
  const client = await RawClient.open(running.port);
  client.write(wire('HEAD /any HTTP/1.1'));
  expect((await client.response({ hasBody: false })).status).toBe(200);
  client.write(get('/plain'));
  expect((await client.response()).body.toString()).toBe('plain');
  client.destroy();
});

test('the request body may be streamed back as the response', async () => {
  const bytes = body(1_500_000);
  const client = await RawClient.open(running.port);
  client.write(post('/echo', bytes));
  await client.response();
  await until(() => client.pending.includes('\r\n0\r\n\r\n'), 'the end of the response');
  expect(sha1(decodeChunked(client.pending)!.body)).toBe(sha1(bytes));
  client.destroy();
});

test('short bodies that end while the head of their response is on its way are streamed back', async () => {
  const send = async () => {
    const sent = http.request({ port: running.port, host: '127.0.0.1', path: '/echo', method: 'POST', agent: false });
    sent.write('one ');
    sent.write('two ');
    sent.end('three');
    const [response] = await once(sent, 'response');
    return [response.statusCode, await text(response)];
  };
  // The end of the body arrived before the head was sent in every third of these requests.
  for (let i = 0; i < 60; i++) expect([i, await send()]).toEqual([i, [200, 'one two three']]);
});

describe('a handler', () => {
  test.each(['bytes', 'text', 'json'])('that calls req.%s() gets an error with advice', async (how) => {
    expect(json(await exchange(running.port, post(`/whole/${how}`, '{}')))).toEqual({ code: 'BODY_STREAMED' });
    expect(json(await exchange(running.port, post(`/whole/${how}`, '')))).toEqual({ code: 'BODY_STREAMED' });
  });

  test('can read a body once', async () => {
    expect(json(await exchange(running.port, post('/twice', 'x')))).toEqual({ code: 'BODY_STREAMED' });
  });

  test('may request several chunks at once', async () => {
    const { done, lengths } = json(await exchange(running.port, post('/both', 'xyz')));
    expect(done).toEqual([false, true, true]);
    expect(lengths).toEqual([3, 0, 0]);
  });

  test('gets no more chunks after its response', async () => {
    const { server, port } = await startServer({ shards: 1 }, 'uploads.js');
    const client = await RawClient.open(port);
    client.write(head('/keep', 'Content-Length: 5'));
    expect((await client.response()).body.toString()).toBe('kept');
    client.write(`never${get('/kept')}`);
    expect(json(await client.response())).toEqual({ code: 'REQUEST_FINISHED' });
    client.destroy();
    await server.close();
  });

  test('of an ordinary route may read the body as a stream too', async () => {
    const bytes = body(900).fill('o');
    const answer = json(await exchange(running.port, post('/ordinary', bytes)));
    expect(answer).toEqual({ length: 900, sha1: sha1(bytes), text: 900 });
    expect(json(await exchange(running.port, post('/ordinary', body(2_000)))).code).toBe('BODY_TOO_LARGE');
  });
});

test.each([
  [
    { body: 'streams' },
    "Schema of `body` of POST /x: expected a Standard Schema or a JSON Schema, or 'stream', got 'streams'.",
  ],
  [{ body: 'stream', maxBodyBytes: -1 }, 'Option `maxBodyBytes` of route `POST /x` must be an integer from 0 to'],
  [{ maxBodyBytes: 2 ** 31 }, 'Option `maxBodyBytes` of route `POST /x` must be an integer from 0 to 1073741824'],
])('rejects the options %j', (options, message) => {
  expect(() => createApp().post('/x', options as never, () => {})).toThrow(message);
});

/** Reports of the handlers of routes with a name. */
class Story {
  readonly name = Math.random().toString(36).slice(2);
  readonly notes: unknown[] = [];
  readonly #channel = new BroadcastChannel('loopshard-uploads');

  constructor() {
    this.#channel.onmessage = (event) => {
      const { name, what } = (event as MessageEvent).data;
      if (name === this.name) this.notes.push(what);
    };
  }

  has(what: unknown): Promise<void> {
    return until(() => this.notes.includes(what), String(what));
  }

  /** Largest number of bytes reported. */
  get read(): number {
    return Math.max(0, ...this.notes.filter((what) => typeof what === 'number'));
  }

  release(): void {
    this.#channel.postMessage({ release: this.name });
  }

  end(): void {
    this.#channel.close();
  }
}

async function withStory(use: (story: Story, client: RawClient) => Promise<void>, port = running.port): Promise<void> {
  const story = new Story();
  const client = await RawClient.open(port);
  try {
    await use(story, client);
  } finally {
    client.destroy();
    story.end();
  }
}

describe('backpressure', () => {
  test('a handler that does not read makes the client wait', async () => {
    await withStory(async (story, client) => {
      const bytes = body(64 * 2 ** 20);
      client.write(head(`/held/${story.name}`, `Content-Length: ${bytes.length}`));
      let taken = 0;
      const sent = (async () => {
        for (let at = 0; at < bytes.length; at += 2 ** 20) {
          await client.send(bytes.subarray(at, at + 2 ** 20));
          taken = at;
        }
      })();
      await story.has('started');
      let before = -1;
      // Until the window and the kernel's buffers are full.
      await until(async () => {
        if (before === taken) return true;
        before = taken;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return false;
      }, 'the client to be held back');
      expect(taken).toBeLessThan(bytes.length / 2);
      story.release();
      await expectDigest(client.response(), bytes);
      await sent;
    });
    await expectConserved(running);
  });

  test('requests behind an unread body are read after it', async () => {
    await withStory(async (story, client) => {
      const bytes = body(WINDOW * 3);
      client.write(Buffer.concat([post(`/held/${story.name}`, bytes), Buffer.from(get('/plain').repeat(3))]));
      await story.has('started');
      expect(running.server.stats().outstanding).toBe(1);
      story.release();
      await expectDigest(client.response(), bytes);
      for (let i = 0; i < 3; i++) expect((await client.response()).body.toString()).toBe('plain');
    });
  });

  test('many small unread bodies are limited too', async () => {
    await withStory(async (story, client) => {
      const bytes = body(60_000);
      const one = post(`/held/${story.name}`, bytes);
      client.write(Buffer.concat(Array.from({ length: 20 }, () => one)));
      await until(() => running.server.stats().outstanding >= 4, 'the first requests');
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(running.server.stats().outstanding).toBeLessThanOrEqual(5);
      story.release();
      for (let i = 0; i < 20; i++) await expectDigest(client.response(), bytes);
    });
    await expectConserved(running);
  });
});

describe('if a handler settles before the body is complete', () => {
  test('a short rest is discarded, and the connection stays open', async () => {
    const client = await RawClient.open(running.port);
    for (const target of ['/ignore', '/first']) {
      client.write(Buffer.concat([post(target, body(200_000)), Buffer.from(get('/plain'))]));
      const answer = await client.response();
      expect([answer.status, field(answer, 'connection')]).toEqual([200, 'keep-alive']);
      expect((await client.response()).body.toString()).toBe('plain');
    }
    client.destroy();
    await expectConserved(running);
  });

  test.each(['/ignore', '/first'])('%s: the connection ends after the response if the rest is long', async (target) => {
    const client = await RawClient.open(running.port);
    const bytes = body(8 * 2 ** 20);
    client.write(head(target, `Content-Length: ${bytes.length}`));
    client.write(bytes.subarray(0, 100_000));
    const answer = await client.response();
    expect([answer.status, field(answer, 'connection')]).toEqual([200, 'close']);
    // The client may keep sending without losing the response to a reset.
    client.write(bytes.subarray(100_000));
    await client.closed();
    await expectConserved(running);
  });

  test('the connection ends after the response if the length of the rest is not known', async () => {
    const client = await RawClient.open(running.port);
    client.write(`${head('/ignore', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`);
    const answer = await client.response();
    expect([answer.status, field(answer, 'connection')]).toEqual([200, 'close']);
    await client.closed();
    await expectConserved(running);
  });

  test('the discarded rest has the same timeout as other bodies', async () => {
    const short = await startServer({ timeouts: { requestTimeoutMs: 200, headersTimeoutMs: 200 } }, 'uploads.js');
    const client = await RawClient.open(short.port);
    client.write(`${head('/ignore', 'Content-Length: 50')}some`);
    expect((await client.response()).status).toBe(200);
    await client.closed();
    expect(client.pending.length).toBe(0);
    await expectConserved(short);
    await short.server.close();
  });

  test('the rest is handled in the same way after handlerTimeoutMs', async () => {
    const client = await RawClient.open(running.port);
    client.write(head('/late', 'Content-Length: 10000000'));
    const answer = await client.response();
    expect([answer.status, field(answer, 'connection')]).toEqual([504, 'close']);
    await client.closed();
    await expectConserved(running);
  });
});

describe('Expect: 100-continue', () => {
  const expecting = (target: string) => head(target, 'Content-Length: 5', 'Expect: 100-continue');

  test('gets 100 Continue when the handler reads', async () => {
    await withStory(async (story, client) => {
      client.write(expecting(`/held/${story.name}`));
      await story.has('started');
      expect(client.pending.length).toBe(0);
      story.release();
      expect((await client.response()).status).toBe(100);
      client.write(`hello${get('/plain')}`);
      await expectDigest(client.response(), Buffer.from('hello'));
      expect((await client.response()).status).toBe(200);
    });
  });

  test('gets 100 Continue after earlier responses', async () => {
    await withStory(async (story, client) => {
      client.write(post(`/held/${story.name}`, 'first'));
      client.write(expecting('/digest'));
      await until(() => running.server.stats().outstanding === 2, 'both requests');
      story.release();
      await expectDigest(client.response(), Buffer.from('first'));
      expect((await client.response()).status).toBe(100);
      client.write('hello');
      await expectDigest(client.response(), Buffer.from('hello'));
    });
  });

  test('gets no 100 Continue if the handler does not read, and the connection ends', async () => {
    const client = await RawClient.open(running.port);
    client.write(expecting('/ignore'));
    const answer = await client.response();
    expect([answer.status, field(answer, 'connection')]).toEqual([200, 'close']);
    await client.closed();
  });

  test('gets no 100 Continue if the client does not wait for it', async () => {
    await withStory(async (story, client) => {
      client.write(`${expecting(`/held/${story.name}`)}hello`);
      await story.has('started');
      story.release();
      await expectDigest(client.response(), Buffer.from('hello'));
    });
  });
});

describe('a body over the limit', () => {
  test('gets 413 without calling the handler if its length is known', async () => {
    const answer = await exchange(running.port, head('/limited', 'Content-Length: 100001', 'Expect: 100-continue'));
    expect([answer.status, json(answer).code]).toEqual([413, 'BODY_TOO_LARGE']);
    await expectDigest(exchange(running.port, post('/limited', body(100_000))), body(100_000));
  });

  test('gets 413 in place of the handler’s response if it is chunked, and the connection ends', async () => {
    await expectDigest(
      exchange(
        running.port,
        chunked('/limited', body(100_000), () => 999),
      ),
      body(100_000),
    );
    const client = await RawClient.open(running.port);
    client.write(Buffer.concat([Buffer.from(get('/plain')), chunked('/limited', body(100_001), () => 999)]));
    expect((await client.response()).status).toBe(200);
    const answer = await client.response();
    expect([answer.status, field(answer, 'connection'), json(answer).code]).toEqual([413, 'close', 'BODY_TOO_LARGE']);
    await client.closed();
    await expectConserved(running);
  });
});

describe('incomplete bodies', () => {
  test.each(['reset', 'end', 'bad chunk'])('%s: the handler gets an error', async (how) => {
    await withStory(async (story, client) => {
      client.write(`${head(`/told/${story.name}`, 'Transfer-Encoding: chunked')}5\r\nhello\r\n`);
      await story.has(5);
      if (how === 'reset') client.socket.resetAndDestroy();
      else if (how === 'end') client.socket.end();
      else client.write('not a chunk\r\n');
      await story.has('BODY_INCOMPLETE');
      await story.has('aborted');
      if (how === 'bad chunk') expect((await client.response()).status).toBe(400);
    });
    await expectConserved(running);
    expect(running.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('a client disconnects before the handler reads', async () => {
    await withStory(async (story, client) => {
      client.write(`${head(`/held/${story.name}`, 'Content-Length: 100')}some`);
      await story.has('started');
      client.socket.resetAndDestroy();
      await story.has('aborted');
      story.release();
    });
    await expectConserved(running);
  });

  test('clients disconnect at random offsets', async () => {
    const random = createRandom();
    const targets = ['/digest', '/slow', '/ignore', '/first', '/echo', '/single', '/limited', '/keeps'];
    const leave = async () => {
      const client = await RawClient.open(running.port);
      const bytes = body(Math.floor(random() ** 2 * 700_000));
      const target = targets[Math.floor(random() * targets.length)];
      const wire = random() < 0.5 ? post(target, bytes) : chunked(target, bytes, () => 5_000);
      client.write(wire.subarray(0, Math.floor(random() * wire.length)));
      await new Promise((resolve) => setTimeout(resolve, random() * 8));
      if (random() < 0.7) client.socket.resetAndDestroy();
      else client.destroy();
    };
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 12 }, leave));
    await until(() => running.server.stats().connections === 0, 'the end of all connections');
    await expectConserved(running);
    await expectDigest(exchange(running.port, post('/digest', body(70_000))), body(70_000));
  });

  test('requestTimeoutMs drops a client that stalls, but not one that is slow', async () => {
    const short = await startServer({ timeouts: { requestTimeoutMs: 300, headersTimeoutMs: 300 } }, 'uploads.js');
    await withStory(async (story, client) => {
      client.write(head(`/told/${story.name}`, 'Content-Length: 12'));
      const start = performance.now();
      for (let i = 0; i < 10; i++) {
        client.write('.');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(performance.now() - start).toBeGreaterThan(900);
      expect(client.ended).toBe(false);
      const answer = await client.response();
      expect([answer.status, field(answer, 'connection')]).toEqual([408, 'close']);
      await story.has('BODY_INCOMPLETE');
    }, short.port);
    // The time that the server itself takes does not count.
    await withStory(async (story, client) => {
      client.write(`${head(`/held/${story.name}`, 'Content-Length: 5', 'Expect: 100-continue')}`);
      await story.has('started');
      await new Promise((resolve) => setTimeout(resolve, 800));
      story.release();
      expect((await client.response()).status).toBe(100);
      client.write('hello');
      await expectDigest(client.response(), Buffer.from('hello'));
    }, short.port);
    await expectConserved(short);
    await short.server.close();
  });
});

describe('uploads', () => {
  test('work over TLS', async () => {
    const pem = (name: string) => readFileSync(`${root}test/fixtures/tls/${name}.pem`);
    const tls = { key: pem('first-key'), cert: pem('first-cert') };
    const other = await startServer({ tls }, 'uploads.js');
    const bytes = body(3_000_000);
    const answer = await new Promise<string>((resolve, reject) => {
      const options = { port: other.port, path: '/slow', method: 'POST', rejectUnauthorized: false };
      const sending = request(options, async (response) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve(text);
      });
      sending.on('error', reject);
      sending.end(bytes);
    });
    expect(JSON.parse(answer)).toMatchObject({ length: bytes.length, sha1: sha1(bytes) });
    await expectConserved(other);
    await other.server.close();
  });

  test('get 502 if their shard ends', async () => {
    const client = await RawClient.open(running.port);
    client.write(`${head('/exit', 'Content-Length: 5000000')}some`);
    const answer = await client.response();
    expect([answer.status, field(answer, 'connection')]).toEqual([502, 'close']);
    await client.closed();
    await until(() => running.server.stats().shards.every(({ state }) => state === 'ready'), 'the shard');
    await expectConserved(running);
  });

  test('are awaited by close()', async () => {
    const other = await startServer({}, 'uploads.js');
    const client = await RawClient.open(other.port);
    const bytes = body(1_000_000);
    const wire = post('/digest', bytes);
    await client.send(wire.subarray(0, 500_000));
    await until(() => other.server.stats().outstanding === 1, 'the request');
    const closed = other.server.close();
    client.write(wire.subarray(500_000));
    const answer = await client.response();
    expect([answer.status, field(answer, 'connection')]).toEqual([200, 'close']);
    expect(json(answer).sha1).toBe(sha1(bytes));
    await closed;
  });

  test('obey queueTimeoutMs and maxConcurrency', async () => {
    const other = await startServer(
      { scheduling: { permits: 1 }, shards: 1, timeouts: { queueTimeoutMs: 100 } },
      'uploads.js',
    );
    await withStory(async (story, client) => {
      client.write(post(`/held/${story.name}`, 'x'));
      await story.has('started');
      const late = await RawClient.open(other.port);
      late.write(head('/digest', 'Content-Length: 3000000'));
      late.write(body(100_000));
      const answer = await late.response();
      expect([answer.status, json(answer).code, field(answer, 'connection')]).toEqual([503, 'QUEUE_TIMEOUT', 'close']);
      late.destroy();
      story.release();
      await expectDigest(client.response(), Buffer.from('x'));
    }, other.port);
    await expectConserved(other);
    await other.server.close();
  });
});

test('a response that breaks off while its request is being sent does not affect earlier responses', async () => {
  const channel = new BroadcastChannel('loopshard-uploads');
  for (const name of ['break-1', 'break-2', 'break-3']) {
    const breaks = () => running.logged.filter(({ message }) => message.includes('/breaks/')).length;
    const before = breaks();
    const socket = connect(running.port, '127.0.0.1').pause();
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    const errors: Error[] = [];
    socket.on('error', (error) => errors.push(error));
    const bytes = body(3_000_000);
    const begun = new Promise((resolve) => channel.addEventListener('message', resolve, { once: true }));
    socket.write(
      Buffer.concat([post('/ignore', 'xy'), Buffer.from(head(`/breaks/${name}`, 'Content-Length: 3000000'))]),
    );
    socket.write(bytes.subarray(0, 1_500_000));
    await begun;
    channel.postMessage({ release: name });
    await until(() => breaks() > before, 'the response to break off');
    for (let i = 0; i < 5; i++) await turn();
    // Nothing was read so far. If the connection ends without a reset, everything can be sent and read.
    socket.write(bytes.subarray(1_500_000));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await closed;
    expect(errors).toEqual([]);
    expect(received).toMatch(/ignored[\s\S]*begun\r\n$/);
  }
  channel.close();
  await expectConserved(running);
});
