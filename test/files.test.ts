import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp, type FilesOptions } from 'loopshard';
import { Apps } from './support/apps.js';
import { exchange, field, get, RawClient } from './support/client.js';
import { expectConserved, startServer, type TestServer, until } from './support/server.js';

const parent = mkdtempSync(join(tmpdir(), 'files-'));
const root = join(parent, 'public');
const css = 'a { color: red }\n'.repeat(100);
const apps = new Apps();
let running: TestServer;
let port: number;

const write = (name: string, content: string | Uint8Array) => writeFileSync(join(root, name), content);

beforeAll(async () => {
  mkdirSync(join(root, 'dir', '.hidden'), { recursive: true });
  mkdirSync(join(root, 'bare'));
  mkdirSync(join(root, 'evil.test'));
  write('a.txt', 'hello');
  write('style.css', css);
  write('style.css.br', brotliCompressSync(css));
  write('style.css.gz', gzipSync(css));
  write('only.js', 'x');
  write('only.js.gz', gzipSync('x'));
  write('grüße %.html', '<p>ü');
  write('page.html', '<p>page');
  write('data.bin', new Uint8Array([0, 1, 2, 253, 254, 255]));
  write('.env', 'SECRET=1');
  write('dir/index.html', '<p>index');
  write('dir/.hidden/x.txt', 'hidden');
  write('large.bin', Buffer.alloc(3_000_000, 'abcdefghij'));
  writeFileSync(join(parent, 'secret.txt'), 'top secret');
  symlinkSync(join(root, 'a.txt'), join(root, 'link.txt'));
  running = await startServer({ shards: 1 }, `files.js?${encodeURIComponent(root)}`);
  port = running.port;
});

afterAll(async () => {
  await apps.close();
  await expectConserved(running);
  await running.server.close();
  rmSync(parent, { recursive: true });
});

const ask = (path: string, ...fields: string[]) => exchange(port, get(`/assets${path}`, ...fields));
const head = (path: string, ...fields: string[]) =>
  exchange(port, get(`/assets${path}`, ...fields).replace('GET', 'HEAD'), false);

describe('a file', () => {
  test.each([
    ['/a.txt', 'text/plain; charset=utf-8', 'hello'],
    ['/style.css', 'text/css; charset=utf-8', css],
    ['/gr%C3%BC%C3%9Fe%20%25.html', 'text/html; charset=utf-8', '<p>ü'],
    ['/only.js', 'application/javascript; charset=utf-8', 'x'],
    ['/dir/', 'text/html; charset=utf-8', '<p>index'],
    ['/dir/index.html', 'text/html; charset=utf-8', '<p>index'],
    ['/a.txt?v=1', 'text/plain; charset=utf-8', 'hello'],
    ['/link.txt', 'text/plain; charset=utf-8', 'hello'],
    ['/dir%2Findex.html', 'text/html; charset=utf-8', '<p>index'],
  ])('%s is sent with its type, length and tag, and without a body to HEAD', async (path, type, body) => {
    const got = await ask(path);
    const bodiless = await head(path);
    for (const response of [got, bodiless]) {
      expect([response.status, field(response, 'content-type')]).toEqual([200, type]);
      expect(field(response, 'content-length')).toBe(String(Buffer.byteLength(body)));
      expect(field(response, 'etag')).toMatch(/^W\/".+"$/);
      expect(field(response, 'accept-ranges')).toBe('bytes');
      expect(field(response, 'cache-control')).toBe('public, max-age=0');
      expect(new Date(field(response, 'last-modified')!).getTime()).not.toBeNaN();
      expect(response.fields.filter(([name]) => name === 'date')).toHaveLength(1);
    }
    expect(got.body.toString()).toBe(body);
  });

  test('is sent unchanged, and completely if it is large', async () => {
    expect([...(await ask('/data.bin')).body]).toEqual([0, 1, 2, 253, 254, 255]);
    expect((await ask('/large.bin')).body.equals(readFileSync(join(root, 'large.bin')))).toBe(true);
  });

  test('that the client already has gets 304', async () => {
    const first = await ask('/a.txt');
    const etag = field(first, 'etag')!;
    const modified = field(first, 'last-modified')!;
    for (const condition of [`If-None-Match: ${etag}`, `If-Modified-Since: ${modified}`, 'If-None-Match: *']) {
      for (const response of [await ask('/a.txt', condition), await head('/a.txt', condition)]) {
        expect([condition, response.status, field(response, 'etag')]).toEqual([condition, 304, etag]);
        expect([field(response, 'content-length'), field(response, 'content-type')]).toEqual([undefined, undefined]);
      }
    }
    const changed = ['If-None-Match: "other"', 'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT'];
    for (const condition of changed) expect((await ask('/a.txt', condition)).status).toBe(200);
    expect((await ask('/a.txt', 'If-Match: "other"')).status).toBe(412);
  });

  test.each([
    ['bytes=1-3', 206, 'ell', 'bytes 1-3/5'],
    ['bytes=3-', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=-2', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=0-99', 206, 'hello', 'bytes 0-4/5'],
    ['bytes=9-', 416, undefined, 'bytes */5'],
    ['bytes=2-1', 416, undefined, 'bytes */5'],
    ['lines=1-2', 200, 'hello', undefined],
    ['bytes=0-0,2-3', 200, 'hello', undefined],
  ])('in the range %s is %d', async (range, status, body, contentRange) => {
    const response = await ask('/a.txt', `Range: ${range}`);
    expect([response.status, field(response, 'content-range')]).toEqual([status, contentRange]);
    if (body !== undefined) expect(response.body.toString()).toBe(body);
  });

  test('that has changed is sent completely despite a range', async () => {
    const modified = field(await ask('/a.txt'), 'last-modified')!;
    expect((await ask('/a.txt', 'Range: bytes=1-3', `If-Range: ${modified}`)).status).toBe(206);
    const before = 'Thu, 01 Jan 1970 00:00:00 GMT';
    expect((await ask('/a.txt', 'Range: bytes=1-3', `If-Range: ${before}`)).status).toBe(200);
  });

  test('that shrinks while it is sent breaks the connection', async () => {
    write('shrinks.bin', Buffer.alloc(20_000_000));
    const client = await RawClient.open(port);
    client.socket.pause();
    client.write(get('/assets/shrinks.bin'));
    await until(() => running.server.stats().shards[0].streams === 1, 'the stream');
    write('shrinks.bin', 'x');
    client.socket.resume();
    await client.closed();
    expect(client.pending.length).toBeLessThan(20_000_000);
    await until(() => running.logged.length > 0, 'the log line');
    expect(running.logged.splice(0)[0].details.err!.message).toContain('fewer bytes than its `content-length`');
  });

  test('is closed if the client disconnects', async () => {
    const client = await RawClient.open(port);
    client.socket.pause();
    client.write(get('/assets/large.bin'));
    await until(() => running.server.stats().shards[0].streams === 1, 'the stream');
    client.socket.resetAndDestroy();
    await until(() => running.server.stats().shards[0].streams === 0, 'its end');
    expect(running.logged).toEqual([]);
  });
});

describe('nothing outside of the directory', () => {
  test.each([
    '/../secret.txt',
    '/..%2Fsecret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/dir/../../secret.txt',
    '/dir/..%2f..%2fsecret.txt',
    '/..%5csecret.txt',
    '/%252e%252e/secret.txt',
    '/%2fetc/passwd',
    '//etc/passwd',
    `/%2f..${encodeURIComponent(parent)}%2fsecret.txt`,
    '/a.txt%00',
    '/%00/a.txt',
    '/a.txt/',
    '/a.txt/../../../secret.txt',
    '/.env',
    '/%2eenv',
    '/dir/.hidden/x.txt',
    '/dir%2f.hidden%2fx.txt',
    '/.%2fa.txt/%2e%2e/%2e%2e/secret.txt',
    '/bare/',
    '/nowhere',
    '/nowhere/',
    '/page',
  ])('is sent for %s', async (path) => {
    const { status, body } = await ask(path);
    expect([400, 403, 404]).toContain(status);
    expect(body.toString()).not.toMatch(/secret|SECRET|hidden|root:/);
  });

  test('is sent; the 404 goes to the error handler and is not logged', async () => {
    expect(running.logged).toEqual([]);
    const app = createApp()
      .onError((error, req) => `${req.path}: ${(error as Error).message}`)
      .files('/', root);
    const { ask, logged } = await apps.run(app);
    const response = await ask('/nowhere');
    expect([response.statusCode, response.body, logged]).toEqual([404, '/nowhere: Not Found', []]);
  });
});

describe('a directory', () => {
  test.each([
    ['/assets/dir', '/assets/dir/'],
    ['/assets/dir?a=b', '/assets/dir/?a=b'],
    ['//evil.test/%2e%2e', '/evil.test/%2e%2e/'],
    ['///evil.test', '/evil.test/'],
  ])('%s redirects to %s, never to another host', async (path, location) => {
    const response = await exchange(port, get(path));
    expect([response.status, field(response, 'location')]).toEqual([301, location]);
    expect(new URL(field(response, 'location')!, 'http://shop.test').host).toBe('shop.test');
  });
});

describe('precompressed files', () => {
  const packed = (path: string, ...fields: string[]) => exchange(port, get(`/packed${path}`, ...fields));

  test.each([
    ['br, gzip', 'br'],
    ['gzip', 'gzip'],
    ['gzip;q=1, br;q=0.5', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['*', 'br'],
    ['identity', undefined],
    ['deflate', undefined],
    ['br;q=0.1, identity', undefined],
    [undefined, undefined],
  ])('for Accept-Encoding %s: %s', async (accepted, coding) => {
    const response = await packed('/style.css', ...(accepted === undefined ? [] : [`Accept-Encoding: ${accepted}`]));
    expect([response.status, field(response, 'content-encoding')]).toEqual([200, coding]);
    expect(field(response, 'content-type')).toBe('text/css; charset=utf-8');
    expect(field(response, 'vary')).toBe('accept-encoding');
    const decode = { br: brotliDecompressSync, gzip: gunzipSync }[coding ?? ''] ?? ((bytes: Buffer) => bytes);
    expect(decode(response.body).toString()).toBe(css);
  });

  test('have their own tag, which gets 304', async () => {
    const plain = field(await packed('/style.css'), 'etag')!;
    const compressed = field(await packed('/style.css', 'Accept-Encoding: br'), 'etag')!;
    expect(compressed).not.toBe(plain);
    const again = await packed('/style.css', 'Accept-Encoding: br', `If-None-Match: ${compressed}`);
    expect([again.status, field(again, 'vary')]).toEqual([304, 'accept-encoding']);
  });

  test('are used for an index, and if only one coding exists', async () => {
    expect(field(await packed('/only.js', 'Accept-Encoding: br, gzip'), 'content-encoding')).toBe('gzip');
    expect(field(await packed('/a.txt', 'Accept-Encoding: br, gzip'), 'content-encoding')).toBeUndefined();
    expect((await packed('/nowhere.css', 'Accept-Encoding: br')).status).toBe(404);
    expect((await packed('/.env', 'Accept-Encoding: br')).status).toBe(404);
  });

  test('are not used without the option', async () => {
    const response = await ask('/style.css', 'Accept-Encoding: br');
    expect([field(response, 'content-encoding'), field(response, 'vary')]).toEqual([undefined, undefined]);
  });
});

describe('options', () => {
  const serve = async (options: FilesOptions) => apps.run(createApp().files('/', root, options));

  test('index, extensions, dotfiles and cache-control', async () => {
    const { ask } = await serve({
      index: ['page.html'],
      extensions: ['html'],
      dotfiles: 'deny',
      maxAgeSeconds: 3_600,
      immutable: true,
    });
    expect((await ask('/')).body).toBe('<p>page');
    expect((await ask('/page')).body).toBe('<p>page');
    expect((await ask('/.env')).statusCode).toBe(403);
    expect((await ask('/a.txt')).headers['cache-control']).toBe('public, max-age=3600, immutable');
    const allowing = await serve({ dotfiles: 'allow' });
    expect((await allowing.ask('/.env')).body).toBe('SECRET=1');
  });

  test('headers that middleware has set are kept', async () => {
    const { ask } = await apps.run(
      createApp()
        .use((_req, res, next) => {
          res.header('cache-control', 'no-store');
          return next();
        })
        .files('/', root),
    );
    expect((await ask('/a.txt')).headers['cache-control']).toBe('no-store');
  });

  test.each<[string, unknown[], string]>([
    ['no directory', ['/x', join(root, 'a.txt')], 'no such directory'],
    ['nothing', ['/x', join(root, 'nowhere')], 'no such directory'],
    ['undefined', ['/x', undefined], 'no such directory'],
    [
      'an unknown option',
      ['/x', root, { maxAge: 1 }],
      "Unknown option `maxAge` of `app.files('/x')`. All options: index,",
    ],
    ['an invalid age', ['/x', root, { maxAgeSeconds: -1 }], '`maxAgeSeconds`'],
    ['an invalid value of `dotfiles`', ['/x', root, { dotfiles: 'hide' }], '`dotfiles`'],
    ['an invalid prefix', ['x', root], '`app.files()` expects a prefix'],
  ])('%s is rejected at the start', (_name, given, message) => {
    expect(() => createApp().files(...(given as [string, string]))).toThrow(message);
  });

  test('a directory may be a URL', async () => {
    const { ask } = await apps.run(createApp().files('/', new URL(`file://${root}/`)));
    expect((await ask('/a.txt')).body).toBe('hello');
  });

  test('a changed file gets another tag', async () => {
    write('changes.txt', 'one');
    const before = field(await ask('/changes.txt'), 'etag');
    write('changes.txt', 'two');
    utimesSync(join(root, 'changes.txt'), new Date(), new Date(statSync(join(root, 'changes.txt')).mtimeMs + 5_000));
    expect(field(await ask('/changes.txt'), 'etag')).not.toBe(before);
  });
});
