import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decodeChunked } from './support/chunked.js';
import { exchange, field, get, RawClient, type RawResponse } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

let running: TestServer;
let port: number;
const returned: string[] = [];
const channel = new BroadcastChannel('loopshard-representations');
channel.onmessage = (event) => void returned.push((event as unknown as { data: string }).data);

beforeAll(async () => {
  running = await startServer({ compress: true, memory: { slotBytes: 4_096 } }, 'representations.js');
  port = running.port;
});

afterAll(async () => {
  await expectConserved(running);
  await running.server.close();
  channel.close();
});

const hasZstd = 'zstdDecompressSync' in zlib;
const decoders: Record<string, (bytes: Buffer) => Buffer> = {
  gzip: zlib.gunzipSync,
  br: zlib.brotliDecompressSync,
  ...(hasZstd && { zstd: (zlib as unknown as { zstdDecompressSync(bytes: Buffer): Buffer }).zstdDecompressSync }),
};

function decoded(response: RawResponse, body = response.body): string {
  const encoding = field(response, 'content-encoding');
  return (encoding === undefined ? body : decoders[encoding](body)).toString();
}

/** A response with a content-length, or in the chunked coding. */
async function ask(path: string, accept?: string, ...fields: string[]): Promise<RawResponse> {
  const client = await RawClient.open(port);
  client.write(
    get(path.replaceAll('"', '%22'), ...(accept === undefined ? [] : [`Accept-Encoding: ${accept}`]), ...fields),
  );
  const response = await client.response();
  if (field(response, 'transfer-encoding') === 'chunked') {
    await until(() => decodeChunked(client.pending) !== undefined, 'the end of the stream');
    response.body = decodeChunked(client.pending)!.body;
  }
  client.destroy();
  return response;
}

const plain = (count: number) => JSON.stringify(Array.from({ length: count }, (_, id) => ({ id, name: `row ${id}` })));

describe('the content coding for', () => {
  test.each([
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br', 'br'],
    ['gzip;q=1, br;q=0.5', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['*', 'br'],
    ['*;q=0, gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['identity', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['gzip;q=0', undefined],
    ['deflate', undefined],
    ['', undefined],
    [undefined, undefined],
    ...(hasZstd ? [['zstd', 'zstd'] as const, ['gzip, zstd', 'zstd'] as const] : []),
  ])('Accept-Encoding %p: %p', async (accept, encoding) => {
    const response = await ask('/rows/100', accept);
    expect(field(response, 'content-encoding')).toBe(encoding);
    expect(field(response, 'vary')).toBe('accept-encoding');
    expect(decoded(response)).toBe(plain(100));
    expect(field(response, 'content-type')).toBe('application/json');
  });

  test.each(['/rows/', '/schema/', '/writer/'])('%s is intact at any size', async (path) => {
    for (const count of [0, 1, 30, 60, 100, 130, 2_000, 5_000]) {
      for (const encoding of Object.keys(decoders)) {
        const response = await ask(path + count, encoding);
        expect(decoded(response) === plain(count)).toBe(true);
        const isLarge = plain(count).length >= 1_024;
        expect(field(response, 'content-encoding')).toBe(isLarge ? encoding : undefined);
      }
    }
  });

  test('large bodies are compressed by other threads and sent in chunks', async () => {
    const response = await ask('/rows/5000', 'gzip');
    expect(field(response, 'transfer-encoding')).toBe('chunked');
    expect(field(response, 'content-length')).toBeUndefined();
    expect(decoded(response) === plain(5_000)).toBe(true);
  });

  test('HEAD has the same headers, without a content-length, which would need compression', async () => {
    const response = await exchange(port, get('/rows/100', 'Accept-Encoding: gzip').replace('GET', 'HEAD'), false);
    expect(field(response, 'content-encoding')).toBe('gzip');
    expect(field(response, 'vary')).toBe('accept-encoding');
    expect(field(response, 'content-length')).toBeUndefined();
  });
});

describe('does not compress', () => {
  test.each([
    ['below the threshold', '/typed?type=text/plain&bytes=1023'],
    ['not compressible', '/typed?type=image/png'],
    ['of an unknown type', '/typed?type=x/unheard-of'],
    ['bytes without a type', '/typed'],
    ['already encoded', '/typed?type=text/plain&encoding=x-own'],
    ['with `no-transform`', '/typed?type=text/plain&cache=public,%20No-Transform'],
    ['on a route that disables it', '/never'],
  ])('%s', async (_name, path) => {
    const response = await ask(path, 'gzip');
    expect(field(response, 'content-encoding')).toBe(path.includes('x-own') ? 'x-own' : undefined);
    expect(field(response, 'vary')).toBeUndefined();
  });

  test.each([204, 304])('%d', async (status) => {
    const response = await ask(`/typed?type=text/plain&status=${status}`, 'gzip');
    expect([response.status, field(response, 'content-encoding')]).toEqual([status, undefined]);
  });

  test('anything by default, unless a route enables it', async () => {
    const off = await startServer({}, 'representations.js');
    const request = (path: string) => exchange(off.port, get(path, 'Accept-Encoding: br, gzip'));
    expect(field(await request('/rows/100'), 'content-encoding')).toBeUndefined();
    const own = await request('/always');
    expect([field(own, 'content-encoding'), decoded(own)]).toEqual(['gzip', 'short']);
    await off.server.close();
  });
});

test('a strong entity tag becomes weak, a weak one stays', async () => {
  expect(field(await ask('/typed?type=text/plain&tag="a"', 'gzip'), 'etag')).toBe('W/"a"');
  expect(field(await ask('/typed?type=text/plain&tag=W/"a"', 'gzip'), 'etag')).toBe('W/"a"');
  expect(field(await ask('/typed?type=text/plain&tag="a"'), 'etag')).toBe('"a"');
  const computed = field(await ask('/tag-large', 'gzip'), 'etag')!;
  expect(computed).toMatch(/^W\/"/);
  expect((await ask('/tag-large', 'gzip', `If-None-Match: ${computed}`)).status).toBe(304);
  expect(field(await ask('/tag-large', 'gzip', `If-None-Match: ${computed}`), 'vary')).toBe('accept-encoding');
});

test('adds to an existing vary header', async () => {
  const varies = async (vary: string) => field(await ask(`/typed?type=text/plain&vary=${vary}`, 'gzip'), 'vary');
  expect(await varies('origin')).toBe('origin, accept-encoding');
  expect(await varies('Accept-Encoding')).toBe('Accept-Encoding');
  expect(await varies('*')).toBe('*');
});

describe('streams', () => {
  test.each(Object.keys(decoders))('in %s', async (encoding) => {
    for (const chunks of [1, 2, 3_000]) {
      const response = await ask(`/stream/${chunks}`, encoding);
      expect(field(response, 'content-encoding')).toBe(encoding);
      const lines = Array.from({ length: chunks }, (_, i) => `{"i":${i}}\n`).join('');
      expect(decoded(response) === lines).toBe(true);
    }
  });

  test('without any chunk', async () => {
    const response = await ask('/stream/0', 'gzip');
    expect(field(response, 'content-encoding')).toBeUndefined();
    expect(response.body.length).toBe(0);
  });

  test('a chunk is sent without waiting for the next one', async () => {
    const client = await RawClient.open(port);
    client.write(get('/stream/2?ms=1500', 'Accept-Encoding: gzip'));
    await client.response();
    const gunzip = zlib.createGunzip();
    let text = '';
    gunzip.on('data', (chunk) => {
      text += chunk;
    });
    // The first chunk, without the framing of the chunked coding.
    await until(() => client.pending.includes('\r\n'), 'the first chunk');
    const start = client.pending.indexOf('\r\n') + 2;
    gunzip.write(client.pending.subarray(start, start + Number.parseInt(client.pending.toString('latin1'), 16)));
    await until(() => text === '{"i":0}\n', 'the first line');
    client.destroy();
  });

  test('a client that disconnects', async () => {
    const client = await RawClient.open(port);
    client.write(get('/endless', 'Accept-Encoding: gzip'));
    await until(() => client.pending.length > 1_000, 'the stream');
    client.destroy();
    await until(() => returned.includes('/endless'), 'the return');
  });

  test('an error in the middle', async () => {
    const client = await RawClient.open(port);
    client.write(get('/breaks', 'Accept-Encoding: gzip'));
    expect((await client.response()).status).toBe(200);
    await client.closed();
    expect(decodeChunked(client.pending)).toBeUndefined();
  });
});

test.each([
  [{ thresholdBytes: -1 }],
  [{ types: ['nonsense'] }],
  [{ types: 'text/plain' }],
  [{ encodings: ['deflate'] }],
  [{ encodings: [] }],
  [{ level: 9 }],
  ['yes'],
])('rejects the option %j', async (compress) => {
  await expect(startServer({ compress: compress as never })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
});

test.each([
  [true, ['compressible', 'negotiator']],
  [false, []],
])(
  'loads the libraries for content negotiation before the shard is ready if compression is enabled (%s)',
  async (compress, loaded) => {
    const other = await startServer({ shards: 1, compress }, 'compress-app.js');
    expect(JSON.parse((await exchange(other.port, get('/loaded'))).body.toString())).toEqual(loaded);
    await other.server.close();
  },
);
